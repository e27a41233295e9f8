// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "log.h"
#include "zlog.h"

#include "grpc_tls.h"
#include "relay_debug.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_TLS, "gRPC TLS files");
DEFINE_MTYPE_STATIC(RELAYD, GRPC_PUMP, "gRPC TLS session");

/* of one direction, on its way; a TLS record has 16384 octets at most */
#define PUMP_BUFFER 16384
/* what a client that is told to go has to take what is still under way */
#define LINGER_S 10
#define NAME_LEN 64

enum { CERT, KEY, CA, FILES };

struct relay_grpc_tls {
	const char *files[FILES];
	struct timespec changed[FILES];
	SSL_CTX *ctx;
};

struct flow {
	uint8_t octets[PUMP_BUFFER];
	size_t from, to; /* what is in it */
};

struct relay_grpc_pump {
	const struct relay_grpc_pump_ops *ops;
	void *arg;
	struct frr_loop *loop;
	SSL *ssl;
	int net, app; /* app: our end of the pair, -1 before the handshake */
	bool net_eof, app_eof; /* nothing more comes from there */
	bool net_shut, app_shut; /* and that was handed on */
	struct flow in, out;   /* net to app, app to net */
	struct frr_event *t_net_read, *t_net_write, *t_app_read, *t_app_write;
	struct frr_event *t_linger, *t_again, *t_ended;
};

/* ------------------------------------------------------------------ files */

/* The end of OpenSSL's story is its cause. */
static void tls_error(const char *file, char *err, size_t len)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);

	snprintf(err, len, "%s: %s", file,
		 ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
		 : why		       ? why
				       : "can't be used");
	ERR_clear_error();
}

/* HTTP/2, and nothing else. */
static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *outlen,
		     const unsigned char *in, unsigned int inlen, void *arg)
{
	static const unsigned char h2[] = {2, 'h', '2'};

	return SSL_select_next_proto((unsigned char **)out, outlen, h2,
				     sizeof(h2), in,
				     inlen) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *context_new(const char *const files[FILES], char *err,
			    size_t len)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *file;

	if (!ctx) {
		tls_error("TLS", err, len);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* no tickets: who may come is asked each time */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(
		ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);

	file = files[CERT];
	if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1)
		goto failed;
	file = files[KEY];
	if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		goto failed;
	file = files[CA];
	if (SSL_CTX_load_verify_file(ctx, file) != 1)
		goto failed;
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
	ERR_clear_error();
	return ctx;
failed:
	tls_error(file, err, len);
	SSL_CTX_free(ctx);
	return NULL;
}

static bool files_changed(struct relay_grpc_tls *tls)
{
	bool changed = false;
	struct stat st;

	for (size_t i = 0; i < FILES; i++) {
		if (stat(tls->files[i], &st) < 0 ||
		    !memcmp(&tls->changed[i], &st.st_mtim, sizeof(st.st_mtim)))
			continue;
		tls->changed[i] = st.st_mtim;
		changed = true;
	}
	return changed;
}

/* Certificates are renewed while relayd runs. */
static void reload(struct relay_grpc_tls *tls)
{
	char err[256];
	SSL_CTX *ctx;

	if (!files_changed(tls))
		return;
	ctx = context_new(tls->files, err, sizeof(err));
	if (ctx) {
		SSL_CTX_free(tls->ctx);
		tls->ctx = ctx;
		zlog_notice("gRPC: TLS files were read anew");
	} else {
		zlog_warn("gRPC: TLS files have changed, and those before stay in use: %s",
			  err);
	}
	zlog_tls_buffer_flush();
}

struct relay_grpc_tls *relay_grpc_tls_new(const char *cert, const char *key,
					  const char *client_ca, char *err,
					  size_t len)
{
	const char *files[FILES] = {cert, key, client_ca};
	struct relay_grpc_tls *tls;
	SSL_CTX *ctx = context_new(files, err, len);

	if (!ctx)
		return NULL;
	tls = XCALLOC(MTYPE_GRPC_TLS, sizeof(*tls));
	memcpy(tls->files, files, sizeof(files));
	tls->ctx = ctx;
	files_changed(tls);
	return tls;
}

void relay_grpc_tls_free(struct relay_grpc_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	XFREE(MTYPE_GRPC_TLS, tls);
}

/* ------------------------------------------------------------------- pump */

static void pump_run(struct relay_grpc_pump *pump);

static size_t flow_left(const struct flow *flow)
{
	return flow->to - flow->from;
}

static void flow_used(struct flow *flow, size_t n)
{
	flow->from += n;
	if (flow->from == flow->to)
		flow->from = flow->to = 0;
}

static void on_event(struct frr_event *ev)
{
	pump_run(EVENT_ARG(ev));
}

static void on_ended(struct frr_event *ev)
{
	struct relay_grpc_pump *pump = EVENT_ARG(ev);

	pump->ops->ended(pump->arg);
}

static void on_linger(struct frr_event *ev)
{
	struct relay_grpc_pump *pump = EVENT_ARG(ev);

	event_add_event(pump->loop, on_ended, pump, 0, &pump->t_ended);
}

/* Printable ASCII of the certificate's common name. */
static void peer_name(SSL *ssl, char *name, size_t len)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	int n = -1;

	if (cert)
		n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
					      NID_commonName, name, len);
	X509_free(cert);
	if (n < 0)
		strlcpy(name, "?", len);
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* false: it has failed, or is over */
static bool handshake(struct relay_grpc_pump *pump)
{
	char name[NAME_LEN];
	int pair[2], ret;

	ERR_clear_error();
	ret = SSL_accept(pump->ssl);
	if (ret != 1) {
		ret = SSL_get_error(pump->ssl, ret);
		if (ret == SSL_ERROR_WANT_READ || ret == SSL_ERROR_WANT_WRITE)
			return true;
		if (DEBUG_MODE_CHECK(&relay_dbg_northbound, DEBUG_MODE_ALL)) {
			const char *why =
				ERR_reason_error_string(ERR_peek_last_error());

			zlog_debug("gRPC: TLS handshake failed: %s",
				   why ? why : "the client has gone");
			zlog_tls_buffer_flush();
		}
		ERR_clear_error();
		return false;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       pair) < 0)
		return false;
	pump->app = pair[0];
	peer_name(pump->ssl, name, sizeof(name));
	pump->ops->ready(pump->arg, pair[1], name);
	return true;
}

/* Each of these: what could be done at once; returns whether anything was. */

static bool from_net(struct relay_grpc_pump *pump)
{
	int n;

	if (pump->net_eof || flow_left(&pump->in))
		return false;
	ERR_clear_error();
	n = SSL_read(pump->ssl, pump->in.octets, sizeof(pump->in.octets));
	if (n > 0) {
		pump->in.to = n;
		return true;
	}
	n = SSL_get_error(pump->ssl, n);
	if (n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE)
		return false;
	pump->net_eof = true;
	/* without close_notify there is nobody to send to either */
	if (n != SSL_ERROR_ZERO_RETURN)
		pump->app_eof = pump->net_shut = true;
	ERR_clear_error();
	return true;
}

static bool to_app(struct relay_grpc_pump *pump)
{
	ssize_t n;

	if (flow_left(&pump->in)) {
		n = send(pump->app, pump->in.octets + pump->in.from,
			 flow_left(&pump->in), MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n < 0)
			pump->net_eof = pump->app_eof = true;
		flow_used(&pump->in, n < 0 ? flow_left(&pump->in) : (size_t)n);
		return true;
	}
	if (pump->net_eof && !pump->app_shut) {
		pump->app_shut = true;
		shutdown(pump->app, SHUT_WR);
		return true;
	}
	return false;
}

static bool from_app(struct relay_grpc_pump *pump)
{
	ssize_t n;

	if (pump->app_eof || flow_left(&pump->out))
		return false;
	n = recv(pump->app, pump->out.octets, sizeof(pump->out.octets), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		pump->app_eof = true;
	else
		pump->out.to = n;
	return true;
}

static bool to_net(struct relay_grpc_pump *pump)
{
	int n;

	if (pump->net_shut)
		return false;
	ERR_clear_error();
	if (flow_left(&pump->out)) {
		n = SSL_write(pump->ssl, pump->out.octets + pump->out.from,
			      flow_left(&pump->out));
		if (n > 0) {
			flow_used(&pump->out, n);
			return true;
		}
		n = SSL_get_error(pump->ssl, n);
		if (n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE)
			return false;
		flow_used(&pump->out, flow_left(&pump->out));
		pump->net_eof = pump->app_eof = pump->net_shut = true;
		ERR_clear_error();
		return true;
	}
	if (!pump->app_eof)
		return false;
	pump->net_shut = true;
	SSL_shutdown(pump->ssl);
	shutdown(pump->net, SHUT_WR);
	ERR_clear_error();
	return true;
}

static void set_event(bool wanted, struct relay_grpc_pump *pump, int fd,
		      bool write, struct frr_event **t)
{
	if (!wanted)
		EVENT_OFF(*t);
	else if (write)
		event_add_write(pump->loop, on_event, pump, fd, t);
	else
		event_add_read(pump->loop, on_event, pump, fd, t);
}

/* What is waited for, so that nothing is when both sides stand still. */
static void set_events(struct relay_grpc_pump *pump)
{
	bool shaking = pump->app < 0;

	set_event(shaking ? SSL_want_read(pump->ssl)
			  : !pump->net_eof && !flow_left(&pump->in),
		  pump, pump->net, false, &pump->t_net_read);
	set_event(SSL_want_write(pump->ssl) ||
			  (!pump->net_shut && flow_left(&pump->out)),
		  pump, pump->net, true, &pump->t_net_write);
	if (shaking)
		return;
	set_event(!pump->app_eof && !flow_left(&pump->out), pump, pump->app,
		  false, &pump->t_app_read);
	set_event(flow_left(&pump->in) > 0, pump, pump->app, true,
		  &pump->t_app_write);
}

/* rounds in a row that one session has the thread for */
#define ROUNDS 16

static void pump_run(struct relay_grpc_pump *pump)
{
	bool moved = true;
	int rounds = 0;

	if (pump->t_ended)
		return;
	if (pump->app < 0 && !handshake(pump)) {
		event_add_event(pump->loop, on_ended, pump, 0, &pump->t_ended);
		return;
	}
	while (pump->app >= 0 && moved && rounds++ < ROUNDS) {
		moved = from_net(pump);
		moved |= to_app(pump);
		moved |= from_app(pump);
		moved |= to_net(pump);
	}
	if (pump->net_eof && pump->app_eof && pump->net_shut &&
	    !flow_left(&pump->in)) {
		event_add_event(pump->loop, on_ended, pump, 0, &pump->t_ended);
		return;
	}
	/* one side has ended: so does the other, soon */
	if (pump->net_eof || pump->app_eof)
		event_add_timer(pump->loop, on_linger, pump, LINGER_S,
				&pump->t_linger);
	set_events(pump);
	/* there may be decrypted octets that no descriptor tells of */
	if (moved && pump->app >= 0)
		event_add_event(pump->loop, on_event, pump, 0, &pump->t_again);
}

struct relay_grpc_pump *relay_grpc_pump_new(struct relay_grpc_tls *tls,
					    struct frr_loop *loop, int fd,
					    const struct relay_grpc_pump_ops *ops,
					    void *arg)
{
	struct relay_grpc_pump *pump;
	SSL *ssl;

	reload(tls);
	ssl = SSL_new(tls->ctx);
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	pump = XCALLOC(MTYPE_GRPC_PUMP, sizeof(*pump));
	pump->ops = ops;
	pump->arg = arg;
	pump->loop = loop;
	pump->ssl = ssl;
	pump->net = fd;
	pump->app = -1;
	SSL_set_accept_state(ssl);
	event_add_read(loop, on_event, pump, fd, &pump->t_net_read);
	return pump;
}

void relay_grpc_pump_free(struct relay_grpc_pump *pump)
{
	struct frr_event **events[] = {
		&pump->t_net_read, &pump->t_net_write, &pump->t_app_read,
		&pump->t_app_write, &pump->t_linger,   &pump->t_again,
		&pump->t_ended,
	};

	for (size_t i = 0; i < array_size(events); i++)
		EVENT_OFF(*events[i]);
	SSL_free(pump->ssl);
	close(pump->net);
	if (pump->app >= 0)
		close(pump->app);
	XFREE(MTYPE_GRPC_PUMP, pump);
}
