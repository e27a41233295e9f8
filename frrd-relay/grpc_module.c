// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <dlfcn.h>

#include "grpc_module.h"
#include "grpc_request.h"

#define MODULE_FILE "relayd_grpc.so"

static const struct relay_grpc_module *module;

/* Beside the program, as both are installed and built together. */
static bool module_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n < 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	return strlcat(path, MODULE_FILE, size) < size;
}

bool relay_grpc_module_load(char *err, size_t len)
{
	char path[MAXPATHLEN];
	void *handle;

	if (module)
		return true;
	if (!module_path(path, sizeof(path))) {
		snprintf(err, len, "--grpc: no path to %s", MODULE_FILE);
		return false;
	}
	/* never closed: gRPC's threads are in it */
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle)
		module = dlsym(handle, RELAY_GRPC_MODULE_SYMBOL);
	if (!module) {
		snprintf(err, len, "--grpc: %s", dlerror());
		return false;
	}
	if (module->request_size != sizeof(struct relay_grpc_request)) {
		module = NULL;
		snprintf(err, len, "--grpc: %s is not of this relayd", path);
		return false;
	}
	return true;
}

int relay_grpc_server_start(struct frr_loop *loop)
{
	return module->server_start(loop);
}

void relay_grpc_server_stop(void)
{
	module->server_stop();
}

void relay_grpc_server_serve(int fd)
{
	module->server_serve(fd);
}

void relay_grpc_call_counts(struct relay_grpc_call_counts *out)
{
	module->call_counts(out);
}

struct relay_grpc_tls *relay_grpc_tls_new(const char *cert, const char *key,
					  const char *client_ca, char *err,
					  size_t len)
{
	return module->tls_new(cert, key, client_ca, err, len);
}

void relay_grpc_tls_free(struct relay_grpc_tls *tls)
{
	if (tls)
		module->tls_free(tls);
}

struct relay_grpc_pump *
relay_grpc_pump_new(struct relay_grpc_tls *tls, struct frr_loop *loop, int fd,
		    const struct relay_grpc_pump_ops *ops, void *arg)
{
	return module->pump_new(tls, loop, fd, ops, arg);
}

void relay_grpc_pump_free(struct relay_grpc_pump *pump)
{
	module->pump_free(pump);
}
