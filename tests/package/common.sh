# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests of the package share.  $log is theirs; $failed becomes 1.

ok() {
	echo "ok $*"
}

not_ok() {
	echo "not ok $*"
	tail -n 15 "$log" | sed 's/^/# /'
	failed=1
}

# check WHAT CMD...
check() {
	local what=$1

	shift
	if { echo "+ $*"; "$@"; } >>"$log" 2>&1 </dev/null; then
		ok "$what"
	else
		not_ok "$what"
		return 1
	fi
}

# must WHAT CMD...: or nothing further makes sense
must() {
	check "$@" || exit 1
}

# within SECONDS CMD...: comes true
within() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

no() {
	! "$@"
}

download() {
	apt-get -y -q --download-only install "$@" >>"$log" 2>&1 </dev/null
}

vty() {
	local args=() line

	for line; do
		args+=(-c "$line")
	done
	vtysh "${args[@]}"
}

relay_is() {
	vtysh -c 'show relay tokyo json' | grep -q "\"operStatus\": *\"$1\""
}

relayd_pid() {
	cat /var/run/frr/relayd.pid
}

# sed on a file, in place, as an operator's editor does: the same file
edit() {
	local text

	text=$(sed "$2" "$1"; echo .) && printf %s "${text%.}" >"$1"
}
