// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
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
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { CERT, KEY, CA, FILES };

/* What was read of the files, for as long as a session uses it. */
struct credentials {
	unsigned int users;
	gnutls_certificate_credentials_t cred;
};

struct relay_grpc_tls {
	const char *files[FILES];
	struct timespec changed[FILES];
	struct credentials *now;
	gnutls_priority_t priority;
};

struct flow {
	uint8_t octets[PUMP_BUFFER];
	size_t from, to; /* what is in it */
};

struct relay_grpc_pump {
	const struct relay_grpc_pump_ops *ops;
	void *arg;
	struct frr_loop *loop;
	struct credentials *credentials;
	gnutls_session_t session;
	int net, app; /* app: our end of the pair, -1 before the handshake */
	bool net_eof, app_eof;	 /* nothing more comes from there */
	bool net_shut, app_shut; /* and that was handed on */
	struct flow in, out;	 /* net to app, app to net */
	struct frr_event *t_net_read, *t_net_write, *t_app_read, *t_app_write;
	struct frr_event *t_linger, *t_again, *t_ended;
};

/* ------------------------------------------------------------------ files */

static bool file_readable(const char *file, char *err, size_t len)
{
	FILE *f = fopen(file, "re");

	if (f) {
		fclose(f);
		return true;
	}
	snprintf(err, len, "%s: %s", file, safe_strerror(errno));
	return false;
}

static bool has_certificate(const char *file, char *err, size_t len)
{
	gnutls_x509_crt_t *list = NULL;
	gnutls_datum_t data = {};
	unsigned int n = 0;
	int ret;

	ret = gnutls_load_file(file, &data);
	if (ret == GNUTLS_E_SUCCESS)
		ret = gnutls_x509_crt_list_import2(&list, &n, &data,
						   GNUTLS_X509_FMT_PEM, 0);
	for (unsigned int i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	gnutls_free(data.data);
	if (ret >= 0 && n > 0)
		return true;
	snprintf(err, len, "%s: no certificate in PEM", file);
	return false;
}

static bool credentials_load(gnutls_certificate_credentials_t cred,
			     const char *const files[FILES], char *err,
			     size_t len)
{
	int ret;

	for (size_t i = 0; i < FILES; i++)
		if (!file_readable(files[i], err, len))
			return false;
	if (!has_certificate(files[CERT], err, len) ||
	    !has_certificate(files[CA], err, len))
		return false;
	ret = gnutls_certificate_set_x509_key_file2(
		cred, files[CERT], files[KEY], GNUTLS_X509_FMT_PEM, NULL, 0);
	if (ret < 0) {
		snprintf(err, len, "%s: %s", files[KEY],
			 ret == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
				 ? "is not the key of the certificate"
				 : gnutls_strerror(ret));
		return false;
	}
	ret = gnutls_certificate_set_x509_trust_file(cred, files[CA],
						     GNUTLS_X509_FMT_PEM);
	if (ret > 0)
		return true;
	snprintf(err, len, "%s: %s", files[CA],
		 ret < 0 ? gnutls_strerror(ret) : "no CA in it");
	return false;
}

static struct credentials *credentials_new(const char *const files[FILES],
					   char *err, size_t len)
{
	struct credentials *new;
	gnutls_certificate_credentials_t cred;

	if (gnutls_certificate_allocate_credentials(&cred) < 0) {
		snprintf(err, len, "TLS: out of memory");
		return NULL;
	}
	if (!credentials_load(cred, files, err, len)) {
		gnutls_certificate_free_credentials(cred);
		return NULL;
	}
	new = XCALLOC(MTYPE_GRPC_TLS, sizeof(*new));
	new->users = 1;
	new->cred = cred;
	return new;
}

static void credentials_put(struct credentials *credentials)
{
	if (--credentials->users)
		return;
	gnutls_certificate_free_credentials(credentials->cred);
	XFREE(MTYPE_GRPC_TLS, credentials);
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
	struct credentials *new;
	char err[256];

	if (!files_changed(tls))
		return;
	new = credentials_new(tls->files, err, sizeof(err));
	if (new) {
		credentials_put(tls->now);
		tls->now = new;
		zlog_notice("gRPC: TLS files were read anew");
	} else {
		zlog_warn(
			"gRPC: TLS files have changed, and those before stay in use: %s",
			err);
	}
	zlog_tls_buffer_flush();
}

struct relay_grpc_tls *relay_grpc_tls_new(const char *cert, const char *key,
					  const char *client_ca, char *err,
					  size_t len)
{
	const char *files[FILES] = {cert, key, client_ca};
	struct credentials *now = credentials_new(files, err, len);
	struct relay_grpc_tls *tls;

	if (!now)
		return NULL;
	tls = XCALLOC(MTYPE_GRPC_TLS, sizeof(*tls));
	memcpy(tls->files, files, sizeof(files));
	tls->now = now;
	if (gnutls_priority_init(&tls->priority, PRIORITY, NULL) < 0) {
		snprintf(err, len, "TLS: the library has none of %s", PRIORITY);
		credentials_put(now);
		XFREE(MTYPE_GRPC_TLS, tls);
		return NULL;
	}
	files_changed(tls);
	return tls;
}

void relay_grpc_tls_free(struct relay_grpc_tls *tls)
{
	if (!tls)
		return;
	credentials_put(tls->now);
	gnutls_priority_deinit(tls->priority);
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
static void peer_name(gnutls_session_t session, char *name, size_t size)
{
	unsigned int n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t cert;
	size_t len = size;
	int ret = -1;

	if (n && gnutls_x509_crt_init(&cert) == GNUTLS_E_SUCCESS) {
		ret = gnutls_x509_crt_import(cert, &chain[0],
					     GNUTLS_X509_FMT_DER);
		if (ret >= 0)
			ret = gnutls_x509_crt_get_dn_by_oid(
				cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
				&len);
		gnutls_x509_crt_deinit(cert);
	}
	if (ret < 0)
		strlcpy(name, "?", size);
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static bool try_again(int ret)
{
	return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED;
}

static void log_handshake(gnutls_session_t session, int ret)
{
	gnutls_datum_t why = {};

	if (!DEBUG_MODE_CHECK(&relay_dbg_northbound, DEBUG_MODE_ALL))
		return;
	if (ret == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		gnutls_certificate_verification_status_print(
			gnutls_session_get_verify_cert_status(session),
			gnutls_certificate_type_get(session), &why, 0);
	zlog_debug("gRPC: TLS handshake failed: %s %s", gnutls_strerror(ret),
		   why.data ? (char *)why.data : "");
	zlog_tls_buffer_flush();
	gnutls_free(why.data);
}

/* false: it has failed, or is over */
static bool handshake(struct relay_grpc_pump *pump)
{
	char name[NAME_LEN];
	int pair[2], ret;

	do
		ret = gnutls_handshake(pump->session);
	while (ret < 0 && !try_again(ret) && !gnutls_error_is_fatal(ret));
	if (ret < 0) {
		if (try_again(ret))
			return true;
		log_handshake(pump->session, ret);
		gnutls_alert_send_appropriate(pump->session, ret);
		return false;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       pair) < 0)
		return false;
	pump->app = pair[0];
	peer_name(pump->session, name, sizeof(name));
	pump->ops->ready(pump->arg, pair[1], name);
	return true;
}

/* Each of these: what could be done at once; returns whether anything was. */

static bool from_net(struct relay_grpc_pump *pump)
{
	ssize_t n;

	if (pump->net_eof || flow_left(&pump->in))
		return false;
	n = gnutls_record_recv(pump->session, pump->in.octets,
			       sizeof(pump->in.octets));
	if (n > 0) {
		pump->in.to = n;
		return true;
	}
	/* HTTP/2 has no use for another handshake (RFC 9113 section 9.2.1) */
	if (try_again(n) ||
	    (n < 0 && n != GNUTLS_E_REHANDSHAKE && !gnutls_error_is_fatal(n)))
		return false;
	pump->net_eof = true;
	/* without close_notify there is nobody to send to either */
	if (n != 0)
		pump->app_eof = pump->net_shut = true;
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
	ssize_t n;

	if (pump->net_shut)
		return false;
	if (flow_left(&pump->out)) {
		n = gnutls_record_send(pump->session,
				       pump->out.octets + pump->out.from,
				       flow_left(&pump->out));
		if (n >= 0) {
			flow_used(&pump->out, n);
			return true;
		}
		if (!gnutls_error_is_fatal(n))
			return false;
		flow_used(&pump->out, flow_left(&pump->out));
		pump->net_eof = pump->app_eof = pump->net_shut = true;
		return true;
	}
	if (!pump->app_eof)
		return false;
	pump->net_shut = true;
	gnutls_bye(pump->session, GNUTLS_SHUT_WR);
	shutdown(pump->net, SHUT_WR);
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
	bool writing = gnutls_record_get_direction(pump->session) == 1;

	set_event(shaking ? !writing : !pump->net_eof && !flow_left(&pump->in),
		  pump, pump->net, false, &pump->t_net_read);
	set_event(shaking ? writing : !pump->net_shut && flow_left(&pump->out),
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

static gnutls_session_t session_new(const struct relay_grpc_tls *tls, int fd)
{
	static const gnutls_datum_t h2 = {(unsigned char *)"h2", 2};
	/* no tickets: who may come is asked each time */
	const unsigned int flags = GNUTLS_SERVER | GNUTLS_NONBLOCK |
				   GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
	static gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	gnutls_session_t session;

	if (gnutls_init(&session, flags) < 0)
		return NULL;
	if (gnutls_priority_set(session, tls->priority) < 0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
				   tls->now->cred) < 0 ||
	    gnutls_alpn_set_protocols(session, &h2, 1, GNUTLS_ALPN_MANDATORY) <
		    0) {
		gnutls_deinit(session);
		return NULL;
	}
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
	gnutls_transport_set_int(session, fd);
	return session;
}

struct relay_grpc_pump *
relay_grpc_pump_new(struct relay_grpc_tls *tls, struct frr_loop *loop, int fd,
		    const struct relay_grpc_pump_ops *ops, void *arg)
{
	struct relay_grpc_pump *pump;
	gnutls_session_t session;

	reload(tls);
	session = session_new(tls, fd);
	if (!session)
		return NULL;
	pump = XCALLOC(MTYPE_GRPC_PUMP, sizeof(*pump));
	pump->ops = ops;
	pump->arg = arg;
	pump->loop = loop;
	pump->session = session;
	pump->credentials = tls->now;
	pump->credentials->users++;
	pump->net = fd;
	pump->app = -1;
	event_add_read(loop, on_event, pump, fd, &pump->t_net_read);
	return pump;
}

void relay_grpc_pump_free(struct relay_grpc_pump *pump)
{
	struct frr_event **events[] = {
		&pump->t_net_read,  &pump->t_net_write, &pump->t_app_read,
		&pump->t_app_write, &pump->t_linger,	&pump->t_again,
		&pump->t_ended,
	};

	for (size_t i = 0; i < array_size(events); i++)
		EVENT_OFF(*events[i]);
	gnutls_deinit(pump->session);
	credentials_put(pump->credentials);
	close(pump->net);
	if (pump->app >= 0)
		close(pump->app);
	XFREE(MTYPE_GRPC_PUMP, pump);
}
