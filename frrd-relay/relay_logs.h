// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log files that are rotated.
 *
 * FRR's logrotate configuration covers relayd's log files, *.log in /var/log/frr, but
 * tells only the daemons that it names to open them again (SIGUSR1), and
 * that file is FRR's. So relayd looks for itself when one is moved.
 */
#ifndef _RELAY_LOGS_H
#define _RELAY_LOGS_H

#include <zebra.h>

#include "compat.h"

/* Nothing where the directory is not there or can't be watched. */
void relay_logs_start(struct frr_loop *loop);
void relay_logs_stop(void);

#endif /* _RELAY_LOGS_H */
