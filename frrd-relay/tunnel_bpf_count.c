// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters of the eBPF programs: all relays' and all processors' in one batch.
 */
#include <zebra.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "privs.h"
#include "relay_memory.h"
#include "relay_time.h"
#include "tunnel_bpf.h"

DEFINE_MTYPE_STATIC(RELAYD, BPF_BATCH, "Relay eBPF counters");

/* one reading serves all relays of one `show` */
#define BATCH_AGE_US 200000

static struct relay_bpf_counters *batch; /* of each place, of each processor */
static size_t batch_places;
static int64_t batch_at;

static void batch_read(int fd, size_t places, size_t cpus)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t *keys, next, n = places;
	int ret = -1;

	batch_at = relay_now_us();
	batch_places = 0;
	batch = XREALLOC(MTYPE_BPF_BATCH, batch,
			 places * cpus * sizeof(*batch));
	keys = XCALLOC(MTYPE_BPF_BATCH, places * sizeof(*keys));
	frr_with_privs (tunnel_privs) {
		ret = bpf_map_lookup_batch(fd, NULL, &next, keys, batch, &n,
					   &opts);
	}
	XFREE(MTYPE_BPF_BATCH, keys);
	if (ret == 0 || errno == ENOENT)
		batch_places = n;
}

void tunnel_bpf_count(int fd, size_t places, size_t at,
		      struct relay_bpf_counters *out)
{
	int cpus = libbpf_num_possible_cpus();

	memset(out, 0, sizeof(*out));
	if (cpus <= 0)
		return;
	if (relay_now_us() - batch_at > BATCH_AGE_US || at >= batch_places)
		batch_read(fd, places, cpus);
	if (at >= batch_places)
		return;
	for (int cpu = 0; cpu < cpus; cpu++) {
		const uint64_t *in = (const uint64_t *)&batch[at * cpus + cpu];
		uint64_t *sum = (uint64_t *)out;

		for (size_t i = 0; i < sizeof(*out) / sizeof(*sum); i++)
			sum[i] += in[i];
	}
}

void tunnel_bpf_count_anew(void)
{
	batch_places = 0;
}

void tunnel_bpf_count_fini(void)
{
	XFREE(MTYPE_BPF_BATCH, batch);
	batch_places = 0;
}
