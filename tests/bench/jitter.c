// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How often each kind of check withdraws for nothing: hours of a path that works,
 * with jitter and 1 % loss, in fast-forward.
 *
 * relayd's decision is its own code (track_icmp_probe.c, which is given the time);
 * the others' are their documented rules, written down below. All draw from the
 * same model with the same seed; what differs is when they look.
 *
 *     tests/bench/jitter [HOURS [SEED]]
 *
 * The path: round trips are log-normal, median 20 ms, sigma 0.5. On average every
 * 10 minutes, for 3 s on average (exponential both), a queue fills somewhere and
 * the median is 400 ms: a third of the round trips take longer than 500 ms, and
 * 3 % longer than 1 s. Loss, of a round trip: 1 % of them, each by itself; or, in the second
 * row, all of them in outages of 0.5 s on average that make 1 % of the time
 * (Gilbert). One way is half of it: half the delay, half the loss.
 */
#include <zebra.h>

#include <math.h>

#include "memory.h"

#include "relay_memory.h"
#include "track_icmp_probe.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define RTT_MEDIAN	 0.020
#define RTT_MEDIAN_BURST 0.400
#define RTT_SIGMA	 0.5
#define BURST_EVERY	 600.0
#define BURST_LASTS	 3.0
#define LOSS		 0.01
#define OUTAGE_LASTS	 0.5

/* splitmix64 */
static uint64_t rng_state;

static uint64_t rng_next(void)
{
	uint64_t z = (rng_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 < result < 1 */
static double rng_uniform(void)
{
	return ((rng_next() >> 12) + 0.5) / (double)(UINT64_C(1) << 52);
}

static double rng_exponential(double mean)
{
	return -mean * log(rng_uniform());
}

/* Box and Muller */
static double rng_normal(void)
{
	return sqrt(-2 * log(rng_uniform())) * cos(2 * M_PI * rng_uniform());
}

/* A state that comes and goes: off for `off` seconds on average, on for `on`. */
struct spell {
	double on, off;
	bool now;
	double until;
};

static bool spell_at(struct spell *spell, double t)
{
	while (spell->until <= t) {
		spell->now = !spell->now;
		spell->until += rng_exponential(spell->now ? spell->on
							   : spell->off);
	}
	return spell->now;
}

struct path {
	bool gilbert;
	struct spell burst, outage;
};

static void path_init(struct path *path, bool gilbert, uint64_t seed)
{
	rng_state = seed;
	*path = (struct path){
		.gilbert = gilbert,
		.burst = { .on = BURST_LASTS, .off = BURST_EVERY, .now = true },
		.outage = { .on = OUTAGE_LASTS,
			    .off = OUTAGE_LASTS * (1 - LOSS) / LOSS,
			    .now = true },
	};
}

/* Seconds that a packet sent at t takes; INFINITY: it is lost. share: 1 = there and back. */
static double path_delay(struct path *path, double t, double share)
{
	double median = spell_at(&path->burst, t) ? RTT_MEDIAN_BURST
						  : RTT_MEDIAN;
	bool lost = path->gilbert ? spell_at(&path->outage, t)
				  : rng_uniform() < LOSS * share;

	return lost ? INFINITY
		    : share * median * exp(RTT_SIGMA * rng_normal());
}

static const double probe_timeout = 1.0; /* ping -c 1 -W 1 */

/* relayd: frequency 1000, probes up 1 down 3, by its own code. */
static unsigned int run_icmp_echo(struct path *path, double seconds,
				  int64_t timeout_us)
{
	struct icmp_probe_limits limits = { .up = 1, .down = 3 };
	enum track_state before = TRACK_STATE_INIT;
	unsigned int withdrawn = 0;
	struct icmp_probe probe;

	icmp_probe_init(&probe);
	icmp_probe_reserve(&probe, 1000, timeout_us / 1000);
	for (double t = 0; t < seconds; t += 1.0) {
		int64_t now_us = llround(t * 1e6);
		double rtt = path_delay(path, t, 1);
		uint16_t seq = icmp_probe_send(&probe, &limits, now_us, now_us,
					       timeout_us);

		if (rtt * 1e6 <= timeout_us) {
			icmp_probe_reply(&probe, &limits, seq, now_us,
					 now_us + llround(rtt * 1e6));
		} else {
			icmp_probe_expire(&probe, &limits, now_us + timeout_us);
			/* a late one is counted, and proves nothing */
			if (rtt < 1.0)
				icmp_probe_reply(&probe, &limits, seq, now_us,
						 now_us + llround(rtt * 1e6));
		}
		withdrawn += probe.state == TRACK_STATE_DOWN &&
			     before != TRACK_STATE_DOWN;
		before = probe.state;
	}
	icmp_probe_fini(&probe);
	return withdrawn;
}

static unsigned int run_relayd(struct path *path, double seconds)
{
	return run_icmp_echo(path, seconds, 500000);
}

/* as patient as the ping of the others */
static unsigned int run_relayd_1000(struct path *path, double seconds)
{
	return run_icmp_echo(path, seconds, 1000000);
}

/*
 * ExaBGP 4.2, healthcheck.py: UP, one failure: FALLING; there `fall` failures in a
 * row: DOWN, a success: RISING; there `rise` successes in a row: UP, a failure:
 * FALLING. In FALLING and RISING it waits fast-interval, else interval. Routes go
 * with DOWN and come with UP; a check takes as long as its ping.
 */
struct exabgp {
	double interval, fast;
	int rise, fall;
};

static unsigned int run_exabgp(struct path *path, double seconds,
			       const struct exabgp *cfg)
{
	enum { UP, FALLING, DOWN, RISING } state = UP;
	unsigned int withdrawn = 0;
	bool announced = true;
	int checks = 0;
	double t = 0;

	while (t < seconds) {
		double rtt = path_delay(path, t, 1);
		bool good = rtt <= probe_timeout;

		t += MIN(rtt, probe_timeout);
		switch (state) {
		case UP:
			if (!good) {
				state = cfg->fall <= 1 ? DOWN : FALLING;
				checks = 1;
			}
			break;
		case DOWN:
			if (good) {
				state = cfg->rise <= 1 ? UP : RISING;
				checks = 1;
			}
			break;
		case FALLING:
			if (good) {
				state = RISING;
				checks = 1;
			} else if (++checks >= cfg->fall) {
				state = DOWN;
			}
			break;
		case RISING:
			if (!good) {
				state = FALLING;
				checks = 1;
			} else if (++checks >= cfg->rise) {
				state = UP;
			}
			break;
		}
		withdrawn += announced && state == DOWN;
		announced = state == UP || (announced && state != DOWN);
		t += state == FALLING || state == RISING ? cfg->fast
							 : cfg->interval;
	}
	return withdrawn;
}

static unsigned int run_exabgp_usual(struct path *path, double seconds)
{
	return run_exabgp(path, seconds, &(struct exabgp){ 5, 1, 3, 3 });
}

static unsigned int run_exabgp_fast(struct path *path, double seconds)
{
	return run_exabgp(path, seconds, &(struct exabgp){ 0.1, 0.1, 1, 1 });
}

/* The shell loop: a second's sleep, one failure is down, one success is up. */
static unsigned int run_script(struct path *path, double seconds)
{
	unsigned int withdrawn = 0;
	bool up = true;
	double t = 0;

	while (t < seconds) {
		double rtt = path_delay(path, t, 1);
		bool good = rtt <= probe_timeout;

		withdrawn += up && !good;
		up = good;
		t += MIN(rtt, probe_timeout) + 1;
	}
	return withdrawn;
}

/* keepalived.conf(5), vrrp_script: interval 1 (from start to start), fall 3, rise 1. */
static unsigned int run_keepalived(struct path *path, double seconds)
{
	unsigned int withdrawn = 0;
	bool up = true;
	int failed = 0;

	for (double t = 0; t < seconds; t += 1) {
		if (path_delay(path, t, 1) <= probe_timeout) {
			failed = 0;
			up = true;
		} else if (++failed >= 3 && up) {
			withdrawn++;
			up = false;
		}
	}
	return withdrawn;
}

/*
 * RFC 5880, 50 ms x 3, whoever's it is: each side sends every 37.5 to 50 ms (section
 * 6.8.7) and is down when 150 ms pass without a packet (6.8.4); the other then hears
 * of it, so that either direction's silence withdraws. It comes up again, say 2 s
 * later: sessions that are not up send once a second.
 */
static unsigned int run_bfd(struct path *path, double seconds)
{
	const double detect = 0.150;
	double sent[2] = { 0, 0 }, heard[2] = { 0, 0 };
	unsigned int withdrawn = 0;
	/* arrivals that are still under way, a direction each */
	double pending[2][64];
	int count[2] = { 0, 0 };

	while (MIN(sent[0], sent[1]) < seconds) {
		int dir = sent[1] < sent[0];
		double t = sent[dir];
		double delay = path_delay(path, t, 0.5);

		/* what arrived by now, in order; the longest silence decides */
		for (;;) {
			int first = -1;

			for (int i = 0; i < count[dir]; i++)
				if (pending[dir][i] <= t &&
				    (first < 0 ||
				     pending[dir][i] < pending[dir][first]))
					first = i;
			if (first < 0)
				break;
			if (pending[dir][first] - heard[dir] > detect)
				break;
			heard[dir] = MAX(heard[dir], pending[dir][first]);
			pending[dir][first] = pending[dir][--count[dir]];
		}
		if (t - heard[dir] > detect) {
			withdrawn++;
			sent[0] = sent[1] = heard[0] = heard[1] = t + 2;
			count[0] = count[1] = 0;
			continue;
		}
		if (isfinite(delay) && count[dir] < (int)array_size(pending[0]))
			pending[dir][count[dir]++] = t + delay;
		sent[dir] = t + 0.050 * (0.75 + 0.25 * rng_uniform());
	}
	return withdrawn;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		unsigned int (*run)(struct path *path, double seconds);
	} rules[] = {
		{ "relayd", run_relayd },
		{ "relayd, timeout 1000", run_relayd_1000 },
		{ "exabgp", run_exabgp_usual },
		{ "exabgp fast", run_exabgp_fast },
		{ "bird+script", run_script },
		{ "keepalived", run_keepalived },
		{ "BFD 50 ms x 3", run_bfd },
	};
	double hours = argc > 1 ? atof(argv[1]) : 1000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct path path;

	for (int gilbert = 0; gilbert < 2; gilbert++)
		for (size_t i = 0; i < array_size(rules); i++) {
			unsigned int n;

			path_init(&path, gilbert, seed);
			n = rules[i].run(&path, hours * 3600);
			printf("%s\t%s\t%.0f\t%u\t%.4f\n",
			       gilbert ? "outages" : "independent",
			       rules[i].name, hours, n, n / hours);
			fflush(stdout);
		}
	return 0;
}
