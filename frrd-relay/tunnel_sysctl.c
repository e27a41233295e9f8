// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel switches that relayd changes, each put back when no relay needs it.
 *
 * A router that owns 192.88.99.1 takes transit packets from 192.88.99.1, those
 * of another relay, for martians and drops them. accept_local=1 on the
 * interface where they arrive cures it, if rp_filter is not strict there. So
 * while a relay's source is a local address, both are set on every interface
 * that could carry such transit: up, with an IPv4 address and IPv4 forwarding,
 * and neither loopback nor a relay's own.
 */
#include <zebra.h>

#include <fcntl.h>

#include "log.h"
#include "tunnel_journal.h"
#include "tunnel_kernel.h"

static char transit_problem[TUNNEL_DETAIL_LEN];
static bool transit_on;

static int sysctl_open(const char *path, int flags)
{
	char file[JOURNAL_KEY_LEN + 16];

	snprintf(file, sizeof(file), "/proc/sys/%s", path);
	return open(file, flags | O_CLOEXEC);
}

int kern_sysctl_read(const char *path, int *value)
{
	char text[16] = "";
	int fd = sysctl_open(path, O_RDONLY), ret = 0;

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		ret = -EIO;
	else
		*value = atoi(text);
	close(fd);
	return ret;
}

int kern_sysctl_write(const char *path, int value)
{
	char text[16];
	int fd, ret = -EPERM, len;

	len = snprintf(text, sizeof(text), "%d\n", value);
	/* net.* tables give CAP_NET_ADMIN the rights of their owner, root */
	frr_with_privs (tunnel_privs) {
		fd = sysctl_open(path, O_WRONLY);
		if (fd < 0) {
			ret = -errno;
			break;
		}
		ret = write(fd, text, len) == len ? 0 : -errno;
		close(fd);
	}
	return ret;
}

int tunnel_sysctl_hold(const char *path, int value)
{
	struct journal_entry *ent = tunnel_journal_find(JOURNAL_SYSCTL, path);
	char was_ours[JOURNAL_VALUE_LEN];
	int now, original, ours, ret;

	ret = kern_sysctl_read(path, &now);
	if (ret < 0)
		return ret;
	if (ent && sscanf(ent->value, "%d %d", &original, &ours) == 2) {
		ent->adopted = true;
		if (now == value && ours == value)
			return 0;
	} else {
		if (now == value)
			return 0; /* nothing to undo later */
		original = now;
	}
	snprintf(was_ours, sizeof(was_ours), "%d %d", original, value);
	ret = tunnel_journal_add(JOURNAL_SYSCTL, path, was_ours);
	if (ret < 0)
		return ret;
	ret = kern_sysctl_write(path, value);
	if (ret < 0)
		tunnel_journal_del(JOURNAL_SYSCTL, path);
	else
		zlog_info("sysctl %s set to %d, was %d", path, value, now);
	return ret;
}

void tunnel_sysctl_release(const char *path)
{
	struct journal_entry *ent = tunnel_journal_find(JOURNAL_SYSCTL, path);
	int now, original, ours, ret;

	if (!ent)
		return;
	if (sscanf(ent->value, "%d %d", &original, &ours) == 2 &&
	    kern_sysctl_read(path, &now) == 0 && now == ours) {
		ret = kern_sysctl_write(path, original);
		if (ret < 0)
			zlog_warn("sysctl %s: can't be put back to %d: %s",
				  path, original, safe_strerror(-ret));
		else
			zlog_info("sysctl %s put back to %d", path, original);
	}
	tunnel_journal_del(JOURNAL_SYSCTL, path);
}

/* -------- transit of other relays' packets -------- */

static bool transit_candidate(const struct kern_link *link)
{
	struct kern_addr *addr = NULL;

	if (!link->pub.up || (link->flags & IFF_LOOPBACK) ||
	    strncmp(link->alias, TUNNEL_ALIAS_PREFIX,
		    strlen(TUNNEL_ALIAS_PREFIX)) == 0 ||
	    kern_forwarding(AF_INET, link->pub.ifindex) != 1)
		return false;
	while ((addr = kern_addr_next(addr)))
		if (addr->ifindex == link->pub.ifindex &&
		    addr->prefix.family == AF_INET)
			return true;
	return false;
}

static void transit_path(char *path, size_t len, const char *ifname,
			 const char *name)
{
	snprintf(path, len, "net/ipv4/conf/%s/%s", ifname, name);
}

static void transit_set(const char *ifname, const char *name, int value)
{
	char path[JOURNAL_KEY_LEN];
	int ret;

	transit_path(path, sizeof(path), ifname, name);
	ret = tunnel_sysctl_hold(path, value);
	if (ret == 0 || ret == -ENOENT) /* the interface went meanwhile */
		return;
	if (transit_problem[0] == '\0')
		zlog_warn("sysctl %s can't be set to %d: %s", path, value,
			  safe_strerror(-ret));
	snprintf(
		transit_problem, sizeof(transit_problem),
		"transit of another relay's packets may be dropped: net.ipv4.conf.%s.%s can't be set: %s",
		ifname, name, safe_strerror(-ret));
}

static void transit_link(const struct kern_link *link)
{
	char path[JOURNAL_KEY_LEN];
	int all = 0, own = 0;

	/* the kernel takes all | interface for accept_local, and
	 * max(all, interface) for rp_filter (ip-sysctl.rst) */
	kern_sysctl_read("net/ipv4/conf/all/accept_local", &all);
	transit_path(path, sizeof(path), link->pub.name, "accept_local");
	if (all == 0 || tunnel_journal_find(JOURNAL_SYSCTL, path))
		transit_set(link->pub.name, "accept_local", 1);

	all = kern_rp_filter(KERN_ALL);
	own = kern_rp_filter(link->pub.ifindex);
	transit_path(path, sizeof(path), link->pub.name, "rp_filter");
	if (MAX(all, own) == 1 || tunnel_journal_find(JOURNAL_SYSCTL, path))
		transit_set(link->pub.name, "rp_filter", 2);
}

/* Entries of interfaces that are gone, or all when nothing wants them. */
static void transit_release(bool all)
{
	struct journal_entry *ent, *next;
	char path[JOURNAL_KEY_LEN];
	int value;

	for (ent = tunnel_journal_first(); ent; ent = next) {
		next = tunnel_journal_next(ent);
		if (ent->kind != JOURNAL_SYSCTL || !ent->adopted)
			continue;
		strlcpy(path, ent->key, sizeof(path));
		if (all || kern_sysctl_read(path, &value) == -ENOENT)
			tunnel_sysctl_release(path);
	}
}

void tunnel_transit_update(bool wanted)
{
	struct kern_link *link = NULL;

	if (!wanted) {
		if (transit_on)
			transit_release(true);
		transit_on = false;
		transit_problem[0] = '\0';
		return;
	}
	transit_on = true;
	transit_problem[0] = '\0';
	transit_release(false);
	while ((link = kern_link_next(link)))
		if (transit_candidate(link))
			transit_link(link);
}

const char *tunnel_transit_problem(void)
{
	return transit_problem;
}
