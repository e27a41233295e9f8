/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What blast.c and its programs share. */
#ifndef _BLAST_H
#define _BLAST_H

#include <linux/types.h>

/* octets at the beginning of a frame that are written for each packet: Ethernet
 * and IPv6, and where the frame is that long IPv4 as well, and UDP */
#define BLAST_HEADER 54
#define BLAST_HEADER_IPV4 (BLAST_HEADER + 20)
#define BLAST_HEADER_LONG (BLAST_HEADER_IPV4 + 8)

/* frames that are sent in turn; their headers are what they differ in */
#define BLAST_FRAMES 4096

/* what a Teredo relay sends comes from here */
#define BLAST_TEREDO_PORT 3545

/* what the sink tells apart */
enum blast_kind {
	BLAST_IPV4, /* UDP in it */
	BLAST_PROTO41,
	BLAST_IPV6,   /* UDP in it, or nothing */
	BLAST_TEREDO, /* no bubble */
	BLAST_BUBBLE, /* of Teredo */
	BLAST_OTHER,
	BLAST_KINDS
};

struct blast_frame {
	__u8 octets[BLAST_HEADER_LONG];
};

struct blast_count {
	__u64 packets, bytes;
};

#endif /* _BLAST_H */
