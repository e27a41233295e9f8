// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _RELAY_TRACK_BFD_H
#define _RELAY_TRACK_BFD_H

#include "relay_zebra_bfd.h"
#include "track.h"

/* What session an object of type TRACK_BFD follows. Pure. */
struct relay_bfd_key track_bfd_key(const struct track_config *cfg);

#endif /* _RELAY_TRACK_BFD_H */
