# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# How relayd gets into a system that has FRR, and out of it: for scripts/install,
# and for the package's maintainer scripts, into which debian/rules copies it.
# POSIX sh, no more than essential packages and FRR; each step may be repeated.

relay_binary=/usr/lib/frr/relayd
# files of FRR's whose place ours take; FRR's own are beside them, *.frr-stock
relay_diverted="/usr/bin/vtysh /usr/lib/frr/frr-reload.py /usr/lib/frr/generate_support_bundle.py"
frr_daemons=/etc/frr/daemons
frr_run=/var/run/frr
# what scripts/install has installed
relay_manifest=/var/lib/frr-relay/installed
# tells tools/frr-reload.py that it is called for watchfrr's sake alone
relay_leaving=/run/frr-relay.leaving

relay_warn() {
	echo "frr-relay: $*" >&2
}

# --------------------------------------------------------------- diversions
# OWNER is --local, or --package=NAME.

# divert_owner FILE: prints LOCAL, a package's name, or nothing
divert_owner() {
	dpkg-divert --listpackage "$1"
}

# Ours, that is to say that FRR's file is where we put it?
divert_is_stock() {
	[ "$(dpkg-divert --truename "$1")" = "$1.frr-stock" ]
}

divert_add() {
	dpkg-divert --quiet "$1" --rename --divert "$2.frr-stock" --add "$2"
}

# after our own file is gone
divert_remove() {
	dpkg-divert --quiet "$1" --rename --divert "$2.frr-stock" --remove "$2"
}

# divert_pass FROM TO FILE: another owner, and no file is moved
divert_pass() {
	dpkg-divert --quiet "$1" --no-rename --divert "$3.frr-stock" --remove "$3" &&
		dpkg-divert --quiet "$2" --no-rename --divert "$3.frr-stock" --add "$3"
}

# ---------------------------------------------------------- /etc/frr/daemons

block_begin='# frr-relay: begin (goes with frr-relay)'
block_begin_joined='# frr-relay: begin (after a line without its end; goes with frr-relay)'
block_end='# frr-relay: end'

# Adds the block that has FRR's scripts know relayd, turned off. Nothing is
# done where there is one, or lines of the operator's own.
block_add() {
	[ -e "$frr_daemons" ] || return 1
	if grep -qE '^(# frr-relay: begin|relayd=)' "$frr_daemons"; then
		return 0
	fi
	block_first=$block_begin
	if [ -s "$frr_daemons" ] && [ -n "$(tail -c 1 "$frr_daemons")" ]; then
		echo >>"$frr_daemons"
		block_first=$block_begin_joined
	fi
	cat >>"$frr_daemons" <<-BLOCK
		$block_first
		[ ! -x $relay_binary ] || DAEMONS="\$DAEMONS relayd"
		relayd=no
		relayd_options="   -A 127.0.0.1"
		$block_end
	BLOCK
}

# Takes the block out again, octet by octet as it was.
block_remove() {
	if ! [ -e "$frr_daemons" ] || ! grep -q '^# frr-relay: begin' "$frr_daemons"; then
		return 0
	fi
	block_copy=$(mktemp) || return 1
	sed '/^# frr-relay: begin/,/^# frr-relay: end$/d' "$frr_daemons" >"$block_copy"
	if grep -q '^# frr-relay: begin (after a line without its end' "$frr_daemons"; then
		truncate -s -1 "$block_copy"
	fi
	# into the same file, which keeps its owner and mode
	cat "$block_copy" >"$frr_daemons"
	rm -f "$block_copy"
}

# ------------------------------------------------------------- what runs now
# There may be several FRRs, by pathspace (frr@NAME.service). "-" stands for
# the one that has no name.

# daemon_instances NAME: prints "PID PATHSPACE" of each one that runs
daemon_instances() {
	for pid_file in "$frr_run/$1.pid" "$frr_run"/*/"$1.pid"; do
		[ -s "$pid_file" ] || continue
		pid=$(cat "$pid_file")
		case $(readlink "/proc/$pid/exe") in
		"/usr/lib/frr/$1" | "/usr/lib/frr/$1 "* | "/usr/lib/frr/$1.dpkg"*) ;;
		*) continue ;;
		esac
		space=${pid_file#"$frr_run"}
		space=${space%"$1.pid"}
		space=$(echo "$space" | tr -d /)
		echo "$pid ${space:--}"
	done
}

# daemon_of NAME PATHSPACE: its pid
daemon_of() {
	daemon_instances "$1" | while read -r pid space; do
		[ "$space" != "$2" ] || echo "$pid"
	done
}

# Does it run a program that has been replaced or removed since?
daemon_is_old() {
	case $(readlink "/proc/$1/exe") in
	*" (deleted)" | *.dpkg*) return 0 ;;
	esac
	return 1
}

# watches_relayd PID: does this watchfrr?
watches_relayd() {
	tr '\0' '\n' <"/proc/$1/cmdline" | grep -qx relayd
}

# vtysh_in PATHSPACE ARG...
vtysh_in() {
	vtysh_space=$1
	shift
	[ "$vtysh_space" = - ] || set -- -N "$vtysh_space" "$@"
	vtysh "$@" </dev/null
}

# wait_gone PID SECONDS
wait_gone() {
	wait_left=$(($2 * 10))
	while kill -0 "$1" 2>/dev/null; do
		[ "$wait_left" -gt 0 ] || return 1
		wait_left=$((wait_left - 1))
		sleep 0.1
	done
}

# as_watchfrr PID CMD...: in the control group and network namespace of this
# watchfrr, as what it starts itself; FRR's scripts never end with a pipe as
# their output.
as_watchfrr() (
	watcher=$1
	shift
	group=$(sed -n 's/^0:://p' "/proc/$watcher/cgroup")
	{ echo 0 >"/sys/fs/cgroup$group/cgroup.procs"; } 2>/dev/null || :
	cd /
	exec nsenter --net="/proc/$watcher/ns/net" -- "$@" </dev/null >/dev/null 2>&1
)

# watchfrr_renew PID PATHSPACE: has FRR's own scripts restart this watchfrr, and
# nothing else, so that it watches what /etc/frr/daemons has now. By systemd
# where that has started it, or it would take FRR for dead.
watchfrr_renew() {
	unit=$(sed -n 's|^.*/\(frr[^/]*\.service\).*$|\1|p' "/proc/$1/cgroup" | head -n 1)
	if [ -d /run/systemd/system ] && [ -n "$unit" ]; then
		systemctl reload "$unit" </dev/null >/dev/null 2>&1
	elif [ "$2" = - ]; then
		as_watchfrr "$1" /usr/lib/frr/frrinit.sh reload
	else
		as_watchfrr "$1" /usr/lib/frr/frrinit.sh reload "$2"
	fi
}

# Each relayd whose program was replaced: a planned restart, in which no route
# is withdrawn and no tunnel goes. Not beside an old zebra: the new relayd is
# built for the new one.
relay_renew() {
	daemon_instances relayd | while read -r pid space; do
		daemon_is_old "$pid" || continue
		watcher=$(daemon_of watchfrr "$space")
		zebra=$(daemon_of zebra "$space")
		if [ -z "$watcher" ] || ! watches_relayd "$watcher"; then
			relay_warn "relayd (process $pid) is not watchfrr's: it is the old one until you restart it"
			continue
		fi
		if [ -z "$zebra" ] || daemon_is_old "$zebra"; then
			relay_warn "FRR was upgraded too: restart it (systemctl restart frr), relayd with it"
			continue
		fi
		if ! vtysh_in "$space" -c 'show running-config' 2>/dev/null | grep -q '^relay graceful-restart '; then
			vtysh_in "$space" -c 'configure terminal' -c 'relay graceful-restart 120' >/dev/null 2>&1 ||
				relay_warn "relayd takes no planned restart, routes are withdrawn for a moment"
		fi
		kill -TERM "$pid" 2>/dev/null || :
		wait_gone "$pid" 660 || relay_warn "relayd (process $pid) does not end"
		[ "$space" != - ] || space=
		as_watchfrr "$watcher" env "FRR_PATHSPACE=$space" /usr/lib/frr/watchfrr.sh start relayd ||
			relay_warn "relayd was not started anew, watchfrr will do it"
	done
}

# The end of all relayds, for good: watchfrr lets go of them, then each one
# withdraws, drains, and removes what it has made.
relay_leave() {
	: >"$relay_leaving"
	# FRR's scripts leave out what can't be run
	[ ! -e "$relay_binary" ] || chmod a-x "$relay_binary"
	daemon_instances watchfrr | while read -r pid space; do
		if watches_relayd "$pid"; then
			watchfrr_renew "$pid" "$space" || :
		fi
	done
	daemon_instances relayd | while read -r pid space; do
		vtysh_in "$space" -c 'configure terminal' -c 'no relay graceful-restart' >/dev/null 2>&1 || :
		kill -TERM "$pid" 2>/dev/null || continue
		wait_gone "$pid" 660 || relay_warn "relayd (process $pid) does not end"
	done
}

# relay_leave undone: watchfrr starts what /etc/frr/daemons has.
relay_return() {
	[ -e "$relay_leaving" ] || return 0
	[ ! -e "$relay_binary" ] || chmod a+x "$relay_binary"
	daemon_instances watchfrr | while read -r pid space; do
		watchfrr_renew "$pid" "$space" || :
	done
	rm -f "$relay_leaving"
}
