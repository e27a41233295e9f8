// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which configurations are refused, and in which words. Pure: the same rules
 * for a line at the prompt, a file and a northbound client.
 *
 * Each function returns true when the configuration holds; otherwise false,
 * with one line without a final newline in err.
 */
#ifndef _RELAY_VALIDATE_H
#define _RELAY_VALIDATE_H

#include <zebra.h>

#include "relay.h"
#include "track.h"

#define RELAY_ERR_LEN 256

/* Looks up a tracked object of the same candidate configuration. */
struct relay_validate_tracks {
	bool (*get)(void *arg, uint16_t id, struct track_config *out);
	void *arg;
};

/* A keyword of the show commands can't name a relay. */
bool relay_validate_name(const char *name, char *err, size_t len);

/* What the kernel takes as an interface name, and does not expand. */
bool relay_validate_ifname(const char *ifname, char *err, size_t len);

bool relay_validate_track(const struct track_config *trk,
			  const struct relay_validate_tracks *tracks, char *err,
			  size_t len);

/*
 * Two different objects of type TRACK_BFD: one session can have one profile. An
 * object without a profile shares that of the other.
 */
bool relay_validate_bfd_pair(const struct track_config *trk,
			     const struct track_config *other, char *err,
			     size_t len);

/*
 * A line of one mode on a relay of another: refused, also where it says the
 * default. line: its first words. A relay without a mode may have both.
 */
bool relay_validate_line(const char *name, enum relay_mode mode,
			 enum relay_mode needed, const char *line, char *err,
			 size_t len);

/* One relay by itself, and against the others (`others` may contain it). */
bool relay_validate_relay(const struct relay_config *relay,
			  const struct relay_config *others, size_t nothers,
			  const struct relay_validate_tracks *tracks, char *err,
			  size_t len);

#endif /* _RELAY_VALIDATE_H */
