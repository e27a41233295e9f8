/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the eBPF programs and relayd share: keys and values of the maps,
 * reasons.
 *
 * Plain C of both worlds. Addresses are in network order, numbers in the
 * host's.
 */
#ifndef _RELAY_BPF_H
#define _RELAY_BPF_H

#include <linux/types.h>

/* instances that the maps have room for */
#define RELAY_BPF_RELAYS_MAX 1024
/* prefixes of filters of a family, of all relays together */
#define RELAY_BPF_FILTERS_MAX 16384
/* uplinks that XDP can send by */
#define RELAY_BPF_UPLINKS_MAX 1024

/* links to other namespaces of this machine */
#define RELAY_BPF_VETHS_MAX 4096

/*
 * Why a packet was dropped, and the key in JSON; the order in which the checks
 * ask is that of relay_check.h.
 */
#define RELAY_BPF_REASONS(X)                                                   \
	/* a header or a length that lies */                                   \
	X(MALFORMED, "malformed")                                              \
	/* `tunnel direction` is the other one */                              \
	X(DIRECTION, "direction")                                              \
	/* 4to6: the outer source is a bogon, or the relay's own */            \
	X(OUTER_SOURCE, "outer-source")                                        \
	/* the inner source is a bogon, or 2002: of one; Teredo, 6to4: it is a \
	 * client's */                                                         \
	X(SOURCE, "source")                                                    \
	/* 4to6: a 2002: source that does not embed the outer one; a Teredo    \
	 * source that is mapped to another address or port */                 \
	X(SOURCE_SPOOFED, "source-spoofed")                                    \
	/* the inner destination is a bogon, or 2002: of one, or a Teredo      \
	 * client mapped to one; Teredo, 4to6: it is a client's */             \
	X(DESTINATION, "destination")                                          \
	/* 4to6: a 2002: destination that does not embed the outer one */      \
	X(DESTINATION_FOREIGN, "destination-foreign")                          \
	/* 4to6: neither inner address is a 2002: one */                       \
	X(NOT_6TO4, "not-6to4")                                                \
	/* Teredo, 4to6: the inner source is no client's */                    \
	X(NOT_TEREDO, "not-teredo")                                            \
	/* 6to4: the destination embeds an address of the relay */             \
	X(DESTINATION_OWN, "destination-own")                                  \
	/* `filter deny` */                                                    \
	X(DENIED, "denied")                                                    \
	/* 4to6: congestion experienced, told to who can't hear it */          \
	X(ECN, "ecn")                                                          \
	/* Teredo: the server of a client that would need a bubble is a bogon  \
	 */                                                                    \
	X(SERVER, "server")

#define RELAY_BPF_REASON_ENUM(name, text) RELAY_BPF_DROP_##name,
enum relay_bpf_reason {
	RELAY_BPF_PASS, /* no drop */
	RELAY_BPF_REASONS(RELAY_BPF_REASON_ENUM) RELAY_BPF_REASON_END
};

/* Is there such a drop with Teredo; with 6to4? */
static inline int relay_bpf_reason_is_of(enum relay_bpf_reason reason,
					 int teredo)
{
	switch (reason) {
	case RELAY_BPF_DROP_NOT_TEREDO:
	case RELAY_BPF_DROP_SERVER:
		return teredo;
	case RELAY_BPF_DROP_NOT_6TO4:
	case RELAY_BPF_DROP_DESTINATION_FOREIGN:
		return !teredo;
	default:
		return reason != RELAY_BPF_PASS;
	}
}

enum relay_bpf_way {
	RELAY_BPF_WAY_4TO6,
	RELAY_BPF_WAY_6TO4,
	RELAY_BPF_WAYS,
};

/* relay_bpf_relay.flags */
#define RELAY_BPF_4TO6 (1 << 0) /* this way is served */
#define RELAY_BPF_6TO4 (1 << 1)
/* 4to6: no sit that could take off what GRO put together, see strip() */
#define RELAY_BPF_AGGREGATES (1 << 2)

/* One relay, by its place in the map `relays`. */
struct relay_bpf_relay {
	__be32 source;
	__be32 transmit_source;
	__u32 ifindex; /* of its interface; 0: the place is free */
	__u32 mtu;     /* of the inner packet, octets */
	__u32 flags;   /* RELAY_BPF_4TO6, ... */
	__u8 ttl;      /* of the outer packet */
	__u8 pad;
	__be16 udp_port; /* Teredo's service port; 0: 6to4 */
	/*
	 * First octets of addresses that a rule of filter4, filter6 other than
	 * RELAY_BPF_PERMIT covers: bit o & 31 of word o >> 5. The others are
	 * permitted without a look at the map.
	 */
	__u32 octets4[8];
	__u32 octets6[8];
};

/* One way of a relay, of one processor. */
struct relay_bpf_count {
	__u64 packets, bytes; /* inner packets that crossed */
};

struct relay_bpf_counters {
	struct relay_bpf_count ways[RELAY_BPF_WAYS];
	__u64 drops[RELAY_BPF_REASON_END]; /* by enum relay_bpf_reason */
};

/*
 * Keys of the maps `filter4` and `filter6`: the longest match of a relay's own
 * rules, enum relay_bpf_verdict as the value, an octet. prefixlen counts the 32
 * bits of `relay`, a place in `relays`, as well.
 */
struct relay_bpf_filter4 {
	__u32 prefixlen;
	__u32 relay;
	__be32 addr;
};

struct relay_bpf_filter6 {
	__u32 prefixlen;
	__u32 relay;
	__u8 addr[16];
};

enum relay_bpf_verdict {
	RELAY_BPF_PERMIT,
	RELAY_BPF_BOGON,
	RELAY_BPF_DENY,
};

/* A link that XDP takes frames from: the value of the map `xdp_uplinks`. */
struct relay_bpf_uplink {
	__u8 mac[6];
	__u8 pad[2];
};

/* A Teredo relay's end: the key of the map `by_service`. */
struct relay_bpf_service {
	__be32 addr;
	__be16 port;
	__u16 pad; /* 0 */
};

/* A peer that has been silent for so long is the engine's, which asks it
 * whether it is still there before its entry ends (RFC 4380 section 5.2). */
#define RELAY_BPF_PEER_FRESH_NS (25 * 1000000000ULL)

/*
 * A Teredo peer that the engine trusts, by the part of its address that is its
 * own: what follows 2001:0::/32, as it lies in a packet. A map a relay, inner
 * map of `peers`.
 */
struct relay_bpf_peer_key {
	__u8 octets[12]; /* server, flags, port and address obfuscated */
};

struct relay_bpf_peer {
	__u64 rx_ns; /* CLOCK_MONOTONIC; last packet from it; 0: never */
	__u64 tx_ns; /* last packet to it */
};

/* What became of a probe of the self-test (ring buffer `probes`). A power of
 * two. */
#define RELAY_BPF_PROBE_LEN 128

struct relay_bpf_probe {
	__u32 place; /* the relay's, in `relays` */
	__u32 way;   /* enum relay_bpf_way */
	/* BPF_FIB_LKUP_RET_*: sent where it is _SUCCESS or _NO_NEIGH; below 0
	 * where the FIB was not asked: the packet went up to the stack */
	__s32 fib;
	__u32 oif;    /* that the FIB named */
	__u32 reason; /* enum relay_bpf_reason: RELAY_BPF_PASS or the drop */
	__u32 len;    /* of the packet; packet holds no more than its room */
	/* from its IP header on, as it left, or as it was dropped or went up */
	__u8 packet[RELAY_BPF_PROBE_LEN];
};

#endif /* _RELAY_BPF_H */
