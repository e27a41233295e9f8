// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _RELAY_MEMORY_H
#define _RELAY_MEMORY_H

#include "memory.h"

DECLARE_MGROUP(RELAYD);

#endif /* _RELAY_MEMORY_H */
