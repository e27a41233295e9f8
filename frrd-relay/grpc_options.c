// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "prefix.h"

#include "grpc_options.h"

#define UNIX_PREFIX "unix:"

static bool is_unix(const struct relay_grpc_address *addr)
{
	return addr->sa.sa_family == AF_UNIX;
}

static bool is_loopback(const struct relay_grpc_address *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return IPV4_NET127(ntohl(addr->in.sin_addr.s_addr));
	return IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

static bool parse_unix(struct relay_grpc_address *addr, const char *path,
		       char *err, size_t len)
{
	if (path[0] != '/') {
		snprintf(err, len, "--grpc unix:%s: an absolute path is wanted",
			 path);
		return false;
	}
	if (strlen(path) >= sizeof(addr->un.sun_path)) {
		snprintf(err, len,
			 "--grpc unix:%s: a path has %zu characters at most",
			 path, sizeof(addr->un.sun_path) - 1);
		return false;
	}
	addr->un.sun_family = AF_UNIX;
	strlcpy(addr->un.sun_path, path, sizeof(addr->un.sun_path));
	addr->len = sizeof(addr->un);
	snprintf(addr->text, sizeof(addr->text), UNIX_PREFIX "%s", path);
	return true;
}

static bool parse_port(const char *text, in_port_t *port)
{
	char *end;
	unsigned long n;

	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || strlen(text) > 5 ||
	    n < 1 || n > UINT16_MAX)
		return false;
	*port = htons(n);
	return true;
}

static bool parse_inet(struct relay_grpc_address *addr, const char *arg,
		       char *err, size_t len)
{
	const char *colon = strrchr(arg, ':'), *port_text = arg;
	char host[INET6_ADDRSTRLEN + 2] = "127.0.0.1";
	in_port_t port;
	size_t n;

	if (colon) {
		n = colon - arg;
		port_text = colon + 1;
		if (!n || n >= sizeof(host)) {
			snprintf(err, len,
				 "--grpc %s: not an IP address before the port",
				 arg);
			return false;
		}
		memcpy(host, arg, n);
		host[n] = '\0';
	}
	if (!parse_port(port_text, &port)) {
		snprintf(err, len,
			 "--grpc %s: a port from 1 to 65535 is wanted", arg);
		return false;
	}
	n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &addr->in6.sin6_addr) == 1) {
			addr->in6.sin6_family = AF_INET6;
			addr->in6.sin6_port = port;
			addr->len = sizeof(addr->in6);
			snprintf(addr->text, sizeof(addr->text), "[%s]:%u",
				 host + 1, ntohs(port));
			return true;
		}
	} else if (inet_pton(AF_INET, host, &addr->in.sin_addr) == 1) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = port;
		addr->len = sizeof(addr->in);
		snprintf(addr->text, sizeof(addr->text), "%s:%u", host,
			 ntohs(port));
		return true;
	}
	snprintf(
		err, len,
		"--grpc %s: not an IP address before the port (IPv6 goes in brackets)",
		arg);
	return false;
}

bool relay_grpc_options_listen(struct relay_grpc_options *opts, const char *arg,
			       char *err, size_t len)
{
	struct relay_grpc_address *addr;
	size_t prefix = strlen(UNIX_PREFIX);
	bool ok;

	if (opts->nlisten == RELAY_GRPC_LISTENERS_MAX) {
		snprintf(err, len, "--grpc %s: %d of them at most", arg,
			 RELAY_GRPC_LISTENERS_MAX);
		return false;
	}
	addr = &opts->listen[opts->nlisten];
	memset(addr, 0, sizeof(*addr));
	ok = strncmp(arg, UNIX_PREFIX, prefix)
		     ? parse_inet(addr, arg, err, len)
		     : parse_unix(addr, arg + prefix, err, len);
	for (size_t i = 0; ok && i < opts->nlisten; i++)
		if (!strcmp(opts->listen[i].text, addr->text)) {
			snprintf(err, len, "--grpc %s: given twice", arg);
			ok = false;
		}
	if (ok)
		opts->nlisten++;
	return ok;
}

bool relay_grpc_options_check(const struct relay_grpc_options *opts, char *err,
			      size_t len)
{
	const struct relay_grpc_address *addr;
	bool any = opts->cert || opts->key || opts->client_ca;
	bool all = opts->cert && opts->key && opts->client_ca;

	if (any && !all) {
		snprintf(
			err, len,
			"--grpc-cert, --grpc-key and --grpc-client-ca go together: %s is missing",
			!opts->cert  ? "--grpc-cert"
			: !opts->key ? "--grpc-key"
				     : "--grpc-client-ca");
		return false;
	}
	if (any && !opts->nlisten) {
		snprintf(err, len,
			 "--grpc-cert without --grpc listens nowhere");
		return false;
	}
	for (size_t i = 0; i < opts->nlisten; i++) {
		addr = &opts->listen[i];
		if (all || is_unix(addr) || is_loopback(addr))
			continue;
		snprintf(
			err, len,
			"--grpc %s: an address that is not loopback needs TLS: --grpc-cert, --grpc-key and --grpc-client-ca",
			addr->text);
		return false;
	}
	return true;
}
