// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ends of tests/bench/datapath and teredo.
 *
 * blast send IFNAME SECONDS RATE BURST
 *
 *   Sends the frames of its standard input, a line of hexadecimal digits each,
 *   in turn out of IFNAME, a veth; RATE a second, in bursts of so many, or 0:
 *   as fast as it can. They are live XDP frames of BPF_PROG_TEST_RUN,
 *   redirected to it: the other end gets pages of a page pool with room in
 *   front, in its NAPI, as from the driver of a NIC.  A socket that sends costs
 *   more than a router that forwards, and leaves no room.  Prints how many were
 *   given to IFNAME.
 *
 * blast clients IFNAME SECONDS RATE COUNT
 *
 *   Sends the one frame of its standard input, which is a Teredo client's to
 *   its relay, COUNT times, each time as of another client: 40000 ports on each
 *   of as many IPv4 addresses as are wanted; or ends after that time.
 *
 * blast strangers IFNAME SECONDS RATE COUNT
 *
 *   The same, each from an address of chance out of 32.0.0.0/3.
 *
 * blast sink IFNAME tc|xdp|egress
 *
 *   Counts and drops what comes in by IFNAME, as early as can be; egress: what
 *   is about to leave by it, and is taken for sent.  Prints
 *   "ready", then the counters for each line on its standard input:
 *   {"ipv4":N,"proto41":N,"ipv6":N,"teredo":N,"bubble":N,"other":N,"bytes":N}
 *
 * blast host IFNAME ADDRESS RELAY
 *
 *   Makes IFNAME that of a 6to4 host without sit: IPv6 that leaves by it goes
 *   in IPv4 from ADDRESS to RELAY, protocol 41 that comes in is IPv6.
 *
 * blast client IFNAME ADDRESS PORT RELAY
 *
 *   Makes IFNAME that of a Teredo client that is known to its relay: IPv6 from
 *   a Teredo address that leaves by it goes in UDP from ADDRESS and PORT to
 *   RELAY, port 3545; what comes in for PORT is IPv6.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/time.h>
#include <linux/if_link.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/bench/blast.h"
#include "tests/bench/blast.skel.h"

/* frames of one system call: more than can be, since each call begins with a
 * pause; the timer ends it. And of one batch in it. */
#define CALL (1 << 30)
#define BATCH 64
#define TICK 0.05

static int fail(const char *what, int error)
{
	fprintf(stderr, "blast: %s: %s\n", what, strerror(abs(error)));
	return 1;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal that ends a system call, each time that has passed. */
static int alarm_each(double seconds)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {
		.it_value.tv_sec = (time_t)seconds,
		.it_value.tv_usec = (seconds - (time_t)seconds) * 1000000,
	};

	timer.it_interval = timer.it_value;
	if (sigaction(SIGALRM, &action, NULL) ||
	    setitimer(ITIMER_REAL, &timer, NULL))
		return -errno;
	return 0;
}

/* The octets of a hexadecimal text; how many, 0 if it is none. */
static size_t unhex(const char *text, unsigned char *out, size_t size)
{
	unsigned int octet;
	size_t n = 0;

	for (; text[0] && text[1] && n < size; text += 2) {
		if (sscanf(text, "%2x", &octet) != 1)
			return 0;
		out[n++] = octet;
	}
	return *text ? 0 : n;
}

/* The frames of standard input; how many, and how long they all are. */
static unsigned int read_frames(struct blast_frame *headers,
				unsigned char *frame, size_t size,
				size_t *length)
{
	unsigned int frames = 0;
	char *line = NULL;
	size_t room = 0, n;

	while (frames < BLAST_FRAMES && getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		n = unhex(line, frame, size);
		if (n < BLAST_HEADER || (frames && n != *length)) {
			fprintf(stderr,
				"blast: frame %u: not %d octets or more in hexadecimal, or not as long as the first\n",
				frames, BLAST_HEADER);
			frames = 0;
			break;
		}
		*length = n;
		memcpy(headers[frames++].octets, frame, BLAST_HEADER_LONG);
	}
	free(line);
	return frames;
}

/* Sends for that time, frames as prog makes them of those of standard input. */
static int send_by(struct blast_bpf *skel, struct bpf_program *prog,
		   int ifindex, char **args)
{
	static struct blast_frame headers[BLAST_FRAMES];
	static unsigned char frame[4096];
	double seconds = atof(args[0]), rate = atof(args[1]), tick;
	size_t length = 0;
	unsigned int frames =
		read_frames(headers, frame, sizeof(frame), &length);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		    .data_size_in = length, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .repeat = CALL, .batch_size = BATCH);
	int ret;

	if (!frames)
		return 2;
	skel->rodata->to_ifindex = ifindex;
	skel->rodata->gap_ns = rate > 0 ? 1e9 / rate * skel->rodata->burst : 0;
	skel->rodata->frames = frames;
	bpf_program__set_autoload(prog, true);
	ret = blast_bpf__load(skel);
	for (__u32 i = 0; i < frames && !ret; i++)
		ret = bpf_map__update_elem(skel->maps.headers, &i, sizeof(i),
					   &headers[i], sizeof(headers[i]), 0);
	if (ret)
		return fail("load", ret);
	/* So many clients may be through sooner. A call ends with a wait for
	 * RCU, some 30 ms, in which nothing is sent: not one call after the
	 * other where a rate is to be held. */
	tick = skel->rodata->clients && !skel->rodata->strangers ? TICK
								 : seconds;
	ret = alarm_each(tick);
	if (ret)
		return fail("timer", ret);
	for (double at = 0; at < seconds && !ret; at += tick) {
		ret = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
		if (ret == -EINTR)
			ret = 0;
		if (skel->rodata->clients &&
		    skel->bss->sent >= skel->rodata->clients)
			break;
	}
	if (ret)
		return fail("live frames", ret);
	printf("%llu\n", (unsigned long long)skel->bss->sent);
	return 0;
}

static int do_send(struct blast_bpf *skel, int ifindex, char **args)
{
	skel->rodata->burst = atoi(args[2]);
	if (!skel->rodata->burst)
		return fail("burst", EINVAL);
	return send_by(skel, skel->progs.blast_send, ifindex, args);
}

static int do_clients(struct blast_bpf *skel, int ifindex, char **args)
{
	skel->rodata->clients = atoi(args[2]);
	return send_by(skel, skel->progs.blast_clients, ifindex, args);
}

static int do_strangers(struct blast_bpf *skel, int ifindex, char **args)
{
	skel->rodata->strangers = true;
	return do_clients(skel, ifindex, args);
}

static int print_counts(struct blast_bpf *skel)
{
	static const char *const names[] = {"ipv4",   "proto41", "ipv6",
					    "teredo", "bubble",	 "other"};
	int cpus = libbpf_num_possible_cpus();
	struct blast_count *values;
	unsigned long long packets, bytes = 0;
	int ret = 0;

	if (cpus < 1)
		return fail("processors", cpus);
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return fail("memory", ENOMEM);
	putchar('{');
	for (__u32 kind = 0; kind < BLAST_KINDS && !ret; kind++) {
		ret = bpf_map_lookup_elem(bpf_map__fd(skel->maps.counts), &kind,
					  values);
		packets = 0;
		for (int cpu = 0; cpu < cpus; cpu++) {
			packets += values[cpu].packets;
			bytes += values[cpu].bytes;
		}
		printf("\"%s\":%llu,", names[kind], packets);
	}
	printf("\"bytes\":%llu}\n", bytes);
	fflush(stdout);
	free(values);
	return ret ? fail("counters", errno) : 0;
}

/* It stays when this process ends, and goes with the interface. */
static int attach_tc(int ifindex, enum bpf_tc_attach_point point,
		     const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, tc, .handle = 1, .priority = 1,
		    .prog_fd = bpf_program__fd(prog));
	int ret = bpf_tc_hook_create(&hook);

	if (ret && ret != -EEXIST)
		return ret;
	hook.attach_point = point;
	return bpf_tc_attach(&hook, &tc);
}

static int do_sink(struct blast_bpf *skel, int ifindex, char **args)
{
	bool xdp = !strcmp(args[0], "xdp");
	enum bpf_tc_attach_point point =
		strcmp(args[0], "egress") ? BPF_TC_INGRESS : BPF_TC_EGRESS;
	struct bpf_program *prog =
		xdp ? skel->progs.blast_sink_xdp : skel->progs.blast_sink;
	char line[16];
	int ret;

	bpf_program__set_autoload(prog, true);
	ret = blast_bpf__load(skel);
	if (ret)
		return fail("load", ret);
	if (xdp)
		ret = bpf_xdp_attach(ifindex, bpf_program__fd(prog),
				     XDP_FLAGS_DRV_MODE, NULL);
	else
		ret = attach_tc(ifindex, point, prog);
	if (ret)
		return fail("attach", ret);
	puts("ready");
	fflush(stdout);
	while (!ret && fgets(line, sizeof(line), stdin))
		ret = print_counts(skel);
	return ret;
}

/* A host with a tunnel of its own, from address to relay. */
static int tunnel(struct blast_bpf *skel, int ifindex, const char *address,
		  const char *relay, const struct bpf_program *out,
		  const struct bpf_program *in)
{
	int ret;

	if (inet_pton(AF_INET, address, &skel->rodata->host_address) != 1 ||
	    inet_pton(AF_INET, relay, &skel->rodata->relay_address) != 1) {
		fprintf(stderr, "blast: %s, %s: IPv4 addresses, please\n",
			address, relay);
		return 2;
	}
	ret = blast_bpf__load(skel);
	if (ret)
		return fail("load", ret);
	ret = attach_tc(ifindex, BPF_TC_EGRESS, out);
	if (!ret)
		ret = attach_tc(ifindex, BPF_TC_INGRESS, in);
	return ret ? fail("attach", ret) : 0;
}

static int do_host(struct blast_bpf *skel, int ifindex, char **args)
{
	struct bpf_program *out = skel->progs.blast_host_out;
	struct bpf_program *in = skel->progs.blast_host_in;

	bpf_program__set_autoload(out, true);
	bpf_program__set_autoload(in, true);
	return tunnel(skel, ifindex, args[0], args[1], out, in);
}

static int do_client(struct blast_bpf *skel, int ifindex, char **args)
{
	struct bpf_program *out = skel->progs.blast_client_out;
	struct bpf_program *in = skel->progs.blast_client_in;

	skel->rodata->host_port = htons(atoi(args[1]));
	bpf_program__set_autoload(out, true);
	bpf_program__set_autoload(in, true);
	return tunnel(skel, ifindex, args[0], args[2], out, in);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(struct blast_bpf *skel, int ifindex, char **args);
	} commands[] = {{"send", 3, do_send},
			{"clients", 3, do_clients},
			{"strangers", 3, do_strangers},
			{"sink", 1, do_sink},
			{"host", 2, do_host},
			{"client", 3, do_client}};
	struct bpf_program *prog;
	struct blast_bpf *skel;
	unsigned int ifindex;
	int ret = 2;

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (argc != commands[i].args + 3 ||
		    strcmp(argv[1], commands[i].name))
			continue;
		ifindex = if_nametoindex(argv[2]);
		if (!ifindex)
			return fail(argv[2], errno);
		libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
		skel = blast_bpf__open();
		if (!skel)
			return fail("open", errno);
		bpf_object__for_each_program(prog, skel->obj)
			bpf_program__set_autoload(prog, false);
		ret = commands[i].run(skel, ifindex, argv + 3);
		blast_bpf__destroy(skel);
		return ret;
	}
	fprintf(stderr,
		"usage: blast send IFNAME SECONDS RATE BURST\n"
		"       blast clients IFNAME SECONDS RATE COUNT\n"
		"       blast strangers IFNAME SECONDS RATE COUNT\n"
		"       blast sink IFNAME tc|xdp|egress\n"
		"       blast host IFNAME ADDRESS RELAY\n"
		"       blast client IFNAME ADDRESS PORT RELAY\n");
	return ret;
}
