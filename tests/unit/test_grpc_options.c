// SPDX-License-Identifier: GPL-2.0-or-later
/* What --grpc and the options beside it may say, and the one line otherwise. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "grpc_options.h"
#include "relay_grpc.h"
#include "relay_memory.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define NO_HOST "not an IP address before the port"
#define NO_IP NO_HOST " (IPv6 goes in brackets)"
#define NO_PORT "a port from 1 to 65535 is wanted"

static const struct listen_case {
	const char *arg;
	const char *text; /* NULL: refused */
	const char *err;  /* behind "--grpc ARG: " */
	int family;
} listen_cases[] = {
	{"50051", "127.0.0.1:50051", NULL, AF_INET},
	{"1", "127.0.0.1:1", NULL, AF_INET},
	{"65535", "127.0.0.1:65535", NULL, AF_INET},
	{"00080", "127.0.0.1:80", NULL, AF_INET},
	{"127.0.0.1:50051", "127.0.0.1:50051", NULL, AF_INET},
	{"0.0.0.0:50051", "0.0.0.0:50051", NULL, AF_INET},
	{"192.0.2.1:443", "192.0.2.1:443", NULL, AF_INET},
	{"[::1]:50051", "[::1]:50051", NULL, AF_INET6},
	{"[::]:50051", "[::]:50051", NULL, AF_INET6},
	{"[2001:db8::192.0.2.1]:1", "[2001:db8::192.0.2.1]:1", NULL, AF_INET6},
	{"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", NULL,
	 AF_INET6},
	{"unix:/run/frr/relayd.grpc", "unix:/run/frr/relayd.grpc", NULL,
	 AF_UNIX},
	{"unix:/", "unix:/", NULL, AF_UNIX},
	{"unix:/a:1", "unix:/a:1", NULL, AF_UNIX},

	{"", NULL, NO_PORT, 0},
	{"0", NULL, NO_PORT, 0},
	{"65536", NULL, NO_PORT, 0},
	{"99999", NULL, NO_PORT, 0},
	{"4294967297", NULL, NO_PORT, 0},
	{"050051", NULL, NO_PORT, 0},
	{"-1", NULL, NO_PORT, 0},
	{"+80", NULL, NO_PORT, 0},
	{" 80", NULL, NO_PORT, 0},
	{"80 ", NULL, NO_PORT, 0},
	{"0x50", NULL, NO_PORT, 0},
	{"http", NULL, NO_PORT, 0},
	{"127.0.0.1", NULL, NO_PORT, 0},
	{"127.0.0.1:", NULL, NO_PORT, 0},
	{"127.0.0.1:0", NULL, NO_PORT, 0},
	{"127.0.0.1:-80", NULL, NO_PORT, 0},
	{"127.0.0.1:80/tcp", NULL, NO_PORT, 0},
	{"[::1]", NULL, NO_PORT, 0},
	{"[::1]:", NULL, NO_PORT, 0},
	{"UNIX:/run/x", NULL, NO_PORT, 0},
	{":50051", NULL, NO_HOST, 0},
	{"a-host-name-that-is-longer-than-an-address-can-be:80", NULL, NO_HOST,
	 0},
	{"localhost:50051", NULL, NO_IP, 0},
	{"*:50051", NULL, NO_IP, 0},
	{"::1:50051", NULL, NO_IP, 0},
	{"::1", NULL, NO_IP, 0},
	{"127.0.0.256:80", NULL, NO_IP, 0},
	{"127.1:80", NULL, NO_IP, 0},
	{"127.0.0.1 :80", NULL, NO_IP, 0},
	{"[127.0.0.1]:80", NULL, NO_IP, 0},
	{"[::1:80", NULL, NO_IP, 0},
	{"::1]:80", NULL, NO_IP, 0},
	{"[]:80", NULL, NO_IP, 0},
	{"[:80", NULL, NO_IP, 0},
	{"]:80", NULL, NO_IP, 0},
	{"[fe80::1%lo]:80", NULL, NO_IP, 0},
	{"[::1]x:80", NULL, NO_IP, 0},
	{"http://127.0.0.1:80", NULL, NO_IP, 0},
	{"unix:", NULL, "an absolute path is wanted", 0},
	{"unix:relayd.grpc", NULL, "an absolute path is wanted", 0},
	{"unix:@abstract", NULL, "an absolute path is wanted", 0},
};

static void listen_one(const struct listen_case *c)
{
	struct relay_grpc_options opts = {.nlisten = 0};
	const struct relay_grpc_address *addr = &opts.listen[0];
	char err[256] = "", expected[256];

	if (!c->text) {
		snprintf(expected, sizeof(expected), "--grpc %s: %s", c->arg,
			 c->err);
		assert_false(relay_grpc_options_listen(&opts, c->arg, err,
						       sizeof(err)));
		assert_string_equal(err, expected);
		assert_int_equal(opts.nlisten, 0);
		return;
	}
	if (!relay_grpc_options_listen(&opts, c->arg, err, sizeof(err)))
		fail_msg("%s is refused: %s", c->arg, err);
	assert_int_equal(opts.nlisten, 1);
	assert_string_equal(addr->text, c->text);
	assert_int_equal(addr->sa.sa_family, c->family);
}

static void test_listen(void **state)
{
	for (size_t i = 0; i < array_size(listen_cases); i++)
		listen_one(&listen_cases[i]);
}

/* What is bound to is what was asked for. */
static void test_addresses(void **state)
{
	struct relay_grpc_options opts = {.nlisten = 0};
	const struct relay_grpc_address *addr = opts.listen;
	struct in6_addr in6;
	char err[256];

	assert_true(relay_grpc_options_listen(&opts, "8080", err, sizeof(err)));
	assert_true(relay_grpc_options_listen(&opts, "192.0.2.7:443", err,
					      sizeof(err)));
	assert_true(relay_grpc_options_listen(&opts, "[2001:db8::7]:444", err,
					      sizeof(err)));
	assert_true(relay_grpc_options_listen(&opts, "unix:/run/x", err,
					      sizeof(err)));
	assert_int_equal(opts.nlisten, 4);

	assert_int_equal(addr[0].in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(addr[0].in.sin_port, htons(8080));
	assert_int_equal(addr[0].len, sizeof(struct sockaddr_in));
	assert_int_equal(addr[1].in.sin_addr.s_addr, htonl(0xc0000207));
	assert_int_equal(addr[1].in.sin_port, htons(443));
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &in6), 1);
	assert_memory_equal(&addr[2].in6.sin6_addr, &in6, sizeof(in6));
	assert_int_equal(addr[2].in6.sin6_port, htons(444));
	assert_int_equal(addr[2].len, sizeof(struct sockaddr_in6));
	assert_string_equal(addr[3].un.sun_path, "/run/x");
	assert_int_equal(addr[3].len, sizeof(struct sockaddr_un));

	assert_false(
		relay_grpc_options_listen(&opts, "8081", err, sizeof(err)));
	assert_string_equal(err, "--grpc 8081: 4 of them at most");
	assert_int_equal(opts.nlisten, 4);
}

static void test_twice(void **state)
{
	static const char *const same[][2] = {
		{"50051", "127.0.0.1:50051"},
		{"127.0.0.1:80", "127.0.0.1:00080"},
		{"[::1]:80", "[::1]:80"},
		{"unix:/run/x", "unix:/run/x"},
	};
	char err[256], expected[256];

	for (size_t i = 0; i < array_size(same); i++) {
		struct relay_grpc_options opts = {.nlisten = 0};

		assert_true(relay_grpc_options_listen(&opts, same[i][0], err,
						      sizeof(err)));
		assert_false(relay_grpc_options_listen(&opts, same[i][1], err,
						       sizeof(err)));
		snprintf(expected, sizeof(expected), "--grpc %s: given twice",
			 same[i][1]);
		assert_string_equal(err, expected);
		assert_int_equal(opts.nlisten, 1);
		/* and it stands where it was */
		assert_true(relay_grpc_options_listen(&opts, "4711", err,
						      sizeof(err)));
	}
}

static void test_long_path(void **state)
{
	struct relay_grpc_options opts = {.nlisten = 0};
	const size_t most = sizeof(opts.listen[0].un.sun_path) - 1;
	char arg[256] = "unix:/", err[512], expected[512];

	memset(arg + strlen(arg), 'x', most - 1);
	assert_true(relay_grpc_options_listen(&opts, arg, err, sizeof(err)));
	assert_string_equal(opts.listen[0].un.sun_path, arg + strlen("unix:"));
	assert_string_equal(opts.listen[0].text, arg);

	strlcat(arg, "x", sizeof(arg));
	assert_false(relay_grpc_options_listen(&opts, arg, err, sizeof(err)));
	snprintf(expected, sizeof(expected),
		 "--grpc %s: a path has 107 characters at most", arg);
	assert_string_equal(err, expected);
}

#define TOGETHER "--grpc-cert, --grpc-key and --grpc-client-ca go together: "
#define NEEDS_TLS                                                              \
	": an address that is not loopback needs TLS: --grpc-cert, --grpc-key and --grpc-client-ca"

enum { CERT = 1, KEY = 2, CA = 4, TLS = CERT | KEY | CA };

static void test_together(void **state)
{
	static const struct {
		const char *listen[2];
		unsigned int files;
		const char *err; /* NULL: fine */
	} cases[] = {
		{{NULL}, 0, NULL},
		{{"50051"}, 0, NULL},
		{{"127.0.0.1:1"}, 0, NULL},
		{{"127.255.255.254:1"}, 0, NULL},
		{{"[::1]:1"}, 0, NULL},
		{{"unix:/x"}, 0, NULL},
		{{"unix:/x", "[::1]:1"}, 0, NULL},
		{{"50051"}, TLS, NULL},
		{{"unix:/x"}, TLS, NULL},
		{{"0.0.0.0:1"}, TLS, NULL},
		{{"[::]:1", "192.0.2.1:1"}, TLS, NULL},

		{{"0.0.0.0:1"}, 0, "--grpc 0.0.0.0:1" NEEDS_TLS},
		{{"128.0.0.1:1"}, 0, "--grpc 128.0.0.1:1" NEEDS_TLS},
		{{"126.0.0.1:1"}, 0, "--grpc 126.0.0.1:1" NEEDS_TLS},
		{{"192.0.2.1:1"}, 0, "--grpc 192.0.2.1:1" NEEDS_TLS},
		{{"[::]:1"}, 0, "--grpc [::]:1" NEEDS_TLS},
		{{"[::2]:1"}, 0, "--grpc [::2]:1" NEEDS_TLS},
		{{"[fe80::1]:1"}, 0, "--grpc [fe80::1]:1" NEEDS_TLS},
		{{"[::ffff:127.0.0.1]:1"},
		 0,
		 "--grpc [::ffff:127.0.0.1]:1" NEEDS_TLS},
		{{"unix:/x", "0.0.0.0:1"}, 0, "--grpc 0.0.0.0:1" NEEDS_TLS},
		{{"50051", "[::]:1"}, 0, "--grpc [::]:1" NEEDS_TLS},
		{{NULL}, TLS, "--grpc-cert without --grpc listens nowhere"},
		{{"1"}, CERT, TOGETHER "--grpc-key is missing"},
		{{"1"}, KEY, TOGETHER "--grpc-cert is missing"},
		{{"1"}, CA, TOGETHER "--grpc-cert is missing"},
		{{"1"}, CERT | KEY, TOGETHER "--grpc-client-ca is missing"},
		{{"1"}, CERT | CA, TOGETHER "--grpc-key is missing"},
		{{"1"}, KEY | CA, TOGETHER "--grpc-cert is missing"},
		{{"0.0.0.0:1"}, CERT, TOGETHER "--grpc-key is missing"},
		{{NULL}, KEY, TOGETHER "--grpc-cert is missing"},
	};
	char err[256];

	for (size_t i = 0; i < array_size(cases); i++) {
		struct relay_grpc_options opts = {.nlisten = 0};
		bool ok;

		for (size_t j = 0; j < 2 && cases[i].listen[j]; j++)
			assert_true(relay_grpc_options_listen(
				&opts, cases[i].listen[j], err, sizeof(err)));
		opts.cert = cases[i].files & CERT ? "/c.pem" : NULL;
		opts.key = cases[i].files & KEY ? "/k.pem" : NULL;
		opts.client_ca = cases[i].files & CA ? "/ca.pem" : NULL;
		err[0] = '\0';
		ok = relay_grpc_options_check(&opts, err, sizeof(err));
		assert_string_equal(err, cases[i].err ? cases[i].err : "");
		assert_int_equal(ok, !cases[i].err);
	}
}

/* By the numbers that getopt has for them; what they are kept in is one. */
static void test_numbers(void **state)
{
	static const struct option options[] = {RELAY_GRPC_OPTIONS};
	static const struct {
		const char *name, *arg, *err;
	} cases[] = {
		{"grpc-idle", "10", NULL},
		{"grpc-idle", "86400", NULL},
		{"grpc-idle", "9", "9"},
		{"grpc-idle", "86401", "86401"},
		{"grpc-idle", "", ""},
		{"grpc-idle", "-10", "-10"},
		{"grpc-idle", " 10", " 10"},
		{"grpc-idle", "10s", "10s"},
		{"grpc-idle", "18446744073709551626", "18446744073709551626"},
		{"grpc", "0.0.0.0:50051", NULL},
		{"grpc-cert", "/c.pem", NULL},
		{"grpc-key", "/k.pem", NULL},
		{"grpc-client-ca", "/ca.pem", NULL},
	};
	char err[256], expected[256];
	bool ok;

	assert_false(relay_grpc_enabled());
	assert_true(relay_grpc_options_ok(err, sizeof(err)));
	for (size_t i = 0; i < array_size(cases); i++) {
		const struct option *o = options;

		while (strcmp(o->name, cases[i].name))
			o++;
		err[0] = '\0';
		assert_true(relay_grpc_option(o->val, cases[i].arg, &ok, err,
					      sizeof(err)));
		assert_int_equal(ok, !cases[i].err);
		if (cases[i].err)
			snprintf(
				expected, sizeof(expected),
				"--grpc-idle %s: a number of seconds from 10 to 86400 is wanted",
				cases[i].err);
		assert_string_equal(err, cases[i].err ? expected : "");
		/* all three or none, and not before there is an address */
		assert_int_equal(relay_grpc_options_ok(err, sizeof(err)),
				 i < 9 || i == array_size(cases) - 1);
	}
	assert_true(relay_grpc_enabled());
	assert_true(relay_grpc_option(RELAY_GRPC_OPTION, "localhost:1", &ok,
				      err, sizeof(err)));
	assert_false(ok);
	assert_string_equal(err, "--grpc localhost:1: " NO_IP);

	/* others' */
	assert_false(relay_grpc_option(RELAY_GRPC_OPTION - 1, "1", &ok, err,
				       sizeof(err)));
	assert_false(relay_grpc_option(RELAY_GRPC_OPTION + array_size(options),
				       "1", &ok, err, sizeof(err)));
	assert_false(relay_grpc_option('g', "1", &ok, err, sizeof(err)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
