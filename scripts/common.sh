# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the scripts share. Sourced by bash; says nothing when sourced.

relay_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# FRR's configure and clippy must find the distribution's Python and tools,
# not those of a version manager in the user's PATH.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH

# say WORD...: one line for the operator, on stderr; stdout is for results.
say() {
	printf '%s\n' "$*" >&2
}

# die WORD...: one line that says why, and the end.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "must be run as root"
}

# cache_dir: prints the cache directory; it exists afterwards.
cache_dir() {
	local dir=${FRR_RELAY_CACHE:-/var/cache/frr-relay}

	mkdir -p "$dir" 2>/dev/null
	[ -w "$dir" ] ||
		die "can't write to the cache directory $dir (FRR_RELAY_CACHE sets another)"
	(cd "$dir" && pwd)
}

# run_logged LOG WHAT CMD...: runs a long step with its output in LOG; where it
# fails, shows the end of the log and dies with WHAT.
run_logged() {
	local log=$1 what=$2

	shift 2
	printf '+ %s\n' "$*" >>"$log"
	if ! "$@" >>"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		die "$what failed; the whole log: $log"
	fi
}

# package_installed PKG: is PKG installed?
package_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# packages_missing PKG...: prints those that are not installed.
packages_missing() {
	local pkg installed

	installed=" $(dpkg-query -W -f '${Package}/${db:Status-Status} ' "$@" 2>/dev/null) "
	for pkg; do
		[[ $installed == *" $pkg/installed "* ]] || printf '%s\n' "$pkg"
	done
}

# apt_run LOG ARG...: apt-get without questions.
apt_run() {
	local log=$1

	shift
	printf '+ apt-get %s\n' "$*" >>"$log"
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get -y -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confold "$@" >>"$log" 2>&1 </dev/null
}

# Installs without starting any daemon on this host: the lab and the tests
# start what they need in network namespaces of their own. In a subshell, so
# that its trap removes the policy however it ends.
apt_install_quietly() (
	log=$1
	shift
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM HUP
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
	fi
	apt_run "$log" install --no-install-recommends "$@"
)

# Installed for the lab alone: Debian's configuration has them find a server on
# the internet, or serve, from the next boot on. disable_service PKG: not so.
disable_service() {
	case $1 in
	miredo | miredo-server) update-rc.d "$1" disable >/dev/null 2>&1 ;;
	esac
}

# apt_need PKG...: installs those of the packages that are missing.
apt_need() {
	local missing log lock pkg

	command -v apt-get >/dev/null ||
		die "no apt on this system: Debian 12 or 13 is needed"
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || die "must be run as root to install: ${missing[*]}"
	log=$(cache_dir)/apt.log || exit 1
	exec {lock}>"$(cache_dir)/apt.lock"
	flock "$lock"
	mapfile -t missing < <(packages_missing "$@")
	if [ ${#missing[@]} -gt 0 ]; then
		say "installing: ${missing[*]}"
		# package lists that are absent or out of date fail the first time
		if ! apt_install_quietly "$log" "${missing[@]}"; then
			apt_run "$log" update || {
				tail -n 5 "$log" >&2
				die "apt-get update failed; the whole log: $log"
			}
			apt_install_quietly "$log" "${missing[@]}" || {
				tail -n 10 "$log" >&2
				die "can't install ${missing[*]}; the whole log: $log"
			}
		fi
		for pkg in "${missing[@]}"; do
			disable_service "$pkg"
		done
	fi
	exec {lock}>&-
}

# package_of PKG...: prints the first that is installed, or that there is: names
# differ between releases of Debian.
package_of() {
	local pkg

	for pkg; do
		if package_installed "$pkg" || [ -n "$(apt-cache madison "$pkg" 2>/dev/null)" ]; then
			printf '%s\n' "$pkg"
			return
		fi
	done
	# apt says that it does not exist
	printf '%s\n' "$1"
}

# frr_version: prints the source version of the installed package frr, e.g.
# 8.4.4-1.1~deb12u2; fails where frr is not installed.
frr_version() {
	package_installed frr || return 1
	dpkg-query -W -f '${source:Version}' frr
}

# What is needed to build and to run relayd, beside FRR's own needs, which
# scripts/frr-tree sees to.
build_packages=(frr gcc make autoconf automake pkg-config perl python3
	libc6-dev libcap-dev libjson-c-dev libnl-3-dev libnl-route-3-dev
	libnl-nf-3-dev libnftables-dev libcmocka-dev clang bpftool libbpf-dev
	linux-libc-dev libgrpc-dev libprotobuf-c-dev protobuf-c-compiler libgnutls28-dev)

# autotools_stale: must configure and the Makefile.in be made anew?
autotools_stale() {
	local f

	cd "$relay_top" || return 0
	for f in configure Makefile.in build-aux/missing build-aux/test-driver; do
		[ -e "$f" ] || return 0
	done
	[ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]
}

# build_tree [DIR [CONFIGURE-OPTION...]]: everything up to a built tree in DIR
# (default build, below the source). Quick where nothing has changed.
build_tree() {
	local dir=${1:-build} tree log lock args

	[ $# -eq 0 ] || shift
	apt_need "${build_packages[@]}"
	tree=$("$relay_top/scripts/frr-tree") || exit 1
	[[ $dir == /* ]] || dir=$relay_top/$dir
	mkdir -p "$dir" || exit 1
	log=$dir/build.log
	exec {lock}>"$dir/.lock"
	flock "$lock"
	: >"$log"
	# the generated autotools files are beside the source, for all DIRs
	(
		flock 8
		if (autotools_stale); then
			cd "$relay_top" && run_logged "$log" autoreconf autoreconf -if
		fi
	) 8>"$relay_top/.autotools.lock" || exit 1
	args="--with-frr-tree=$tree $*"
	if [ "$tree/frr-relay.stamp" -nt "$dir/Makefile" ] || [ "$args" != "$(cat "$dir/.configured" 2>/dev/null)" ]; then
		rm -f "$dir/.configured"
		(cd "$dir" && run_logged "$log" configure "$relay_top/configure" \
			"--with-frr-tree=$tree" "$@") || exit 1
		printf '%s\n' "$args" >"$dir/.configured"
	fi
	run_logged "$log" "the build" make -s -C "$dir" "-j$(nproc)"
	exec {lock}>&-
}

# host_has_sit: can this host make sit devices, in a network namespace? Leaves
# nothing behind but perhaps the kernel module.
host_has_sit() {
	[ "$(id -u)" -eq 0 ] || return 1
	unshare --net sh -c '
		ip link add frrsit type sit local 192.0.2.1 ttl 64 ||
			{ modprobe sit && ip link add frrsit type sit local 192.0.2.1 ttl 64; }
	' >/dev/null 2>&1
}
