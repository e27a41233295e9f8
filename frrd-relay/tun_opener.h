// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who opens /dev/net/tun where root alone may (a container, say): a process
 * that stays root when relayd becomes a user of less privileges, has no
 * capability itself, and does nothing else.
 */
#ifndef _RELAY_TUN_OPENER_H
#define _RELAY_TUN_OPENER_H

/* Before privileges are dropped; does nothing where everyone may open it. */
void tun_opener_start(void);
/* A new descriptor of /dev/net/tun, not bound to an interface; or -errno. */
int tun_opener_open(void);

#endif /* _RELAY_TUN_OPENER_H */
