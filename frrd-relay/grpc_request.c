// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "printfrr.h"

#include "grpc/frr-northbound.pb-c.h"

#include "grpc_request.h"
#include "relay_memory.h"

DEFINE_MTYPE_STATIC(RELAYD, GRPC_MESSAGE, "gRPC message");

const struct relay_grpc_method *relay_grpc_method_find(const char *path,
						       size_t len)
{
	const struct relay_grpc_method *method;

	for (method = relay_grpc_methods; method->path; method++)
		if (strlen(method->path) == len &&
		    !memcmp(method->path, path, len))
			return method;
	return NULL;
}

/* ---------------------------------------------------------------- strings */

/* Octets of the character there, 0 where there is none: RFC 3629 section 4.
 * glibc's C.UTF-8 takes more than that. */
static size_t character_len(const uint8_t *p)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* protobuf-c takes any octets for a string; readers of what we pass on do not.
 */
static bool is_utf8(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t len;

	for (; *p; p += len) {
		len = character_len(p);
		if (!len)
			return false;
	}
	return true;
}

static bool strings_are_utf8(const ProtobufCMessage *msg);

static bool field_is_utf8(const ProtobufCFieldDescriptor *field,
			  const void *member)
{
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(const char *const *)member;

		return !text || is_utf8(text);
	}
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *msg =
			*(const ProtobufCMessage *const *)member;

		return !msg || strings_are_utf8(msg);
	}
	return true;
}

static bool strings_are_utf8(const ProtobufCMessage *msg)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;

	for (unsigned int i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &desc->fields[i];
		const uint8_t *member = (const uint8_t *)msg + field->offset;

		if (field->label != PROTOBUF_C_LABEL_REPEATED) {
			if (!field_is_utf8(field, member))
				return false;
			continue;
		}
		/* strings and messages alike are pointers */
		if (field->type != PROTOBUF_C_TYPE_STRING &&
		    field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		const size_t *n = (const size_t *)((const uint8_t *)msg +
						   field->quantifier_offset);
		void *const *all = *(void *const *const *)member;

		for (size_t j = 0; j < *n; j++)
			if (!field_is_utf8(field, &all[j]))
				return false;
	}
	return true;
}

/* --------------------------------------------------------------- requests */

void relay_grpc_request_init(struct relay_grpc_request *req)
{
	relay_grpc_messages_init(&req->output);
}

static void output_clear(struct relay_grpc_request *req)
{
	struct relay_grpc_message *msg;

	while ((msg = relay_grpc_messages_pop(&req->output)))
		relay_grpc_message_free(msg);
}

void relay_grpc_request_clear(struct relay_grpc_request *req)
{
	output_clear(req);
	relay_grpc_messages_fini(&req->output);
	if (req->input)
		protobuf_c_message_free_unpacked(req->input, NULL);
	req->input = NULL;
}

bool relay_grpc_request_decode(struct relay_grpc_request *req,
			       const uint8_t *octets, size_t len)
{
	req->input = protobuf_c_message_unpack(req->method->input, NULL, len,
					       octets);
	if (!req->input) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"not a message of the type %s",
				req->method->input->name);
		return false;
	}
	if (!strings_are_utf8(req->input)) {
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"a string is not UTF-8");
		return false;
	}
	return true;
}

struct relay_grpc_message *relay_grpc_message_new(const ProtobufCMessage *pb)
{
	size_t len = protobuf_c_message_get_packed_size(pb);
	struct relay_grpc_message *msg;

	msg = XMALLOC(MTYPE_GRPC_MESSAGE, sizeof(*msg) + len);
	memset(&msg->item, 0, sizeof(msg->item));
	msg->len = len;
	protobuf_c_message_pack(pb, msg->octets);
	return msg;
}

void relay_grpc_message_free(struct relay_grpc_message *msg)
{
	XFREE(MTYPE_GRPC_MESSAGE, msg);
}

void relay_grpc_answer(struct relay_grpc_request *req,
		       const ProtobufCMessage *pb)
{
	size_t len = protobuf_c_message_get_packed_size(pb);

	if (len > RELAY_GRPC_MESSAGE_MAX) {
		relay_grpc_fail(
			req, GRPC_STATUS_RESOURCE_EXHAUSTED,
			"the answer has %zu octets, more than the %d that a message may have: ask for less",
			len, RELAY_GRPC_MESSAGE_MAX);
		return;
	}
	relay_grpc_messages_add_tail(&req->output, relay_grpc_message_new(pb));
}

/* A text that was cut has no half of a character at its end. */
static void cut_character(char *text)
{
	size_t len = strlen(text), n = 0;

	if (len < RELAY_GRPC_TEXT_LEN - 1)
		return;
	while (n < 3 && n < len && ((uint8_t)text[len - 1 - n] & 0xc0) == 0x80)
		n++;
	if (n < len && (uint8_t)text[len - 1 - n] >= 0xc0)
		text[len - 1 - n] = '\0';
}

/* It may quote what others have cut. */
static void replace_odd(char *text)
{
	uint8_t *p = (uint8_t *)text;
	size_t len;

	for (; *p; p += len) {
		len = character_len(p);
		if (len)
			continue;
		*p = '?';
		len = 1;
	}
}

void relay_grpc_fail(struct relay_grpc_request *req, grpc_status_code status,
		     const char *fmt, ...)
{
	va_list ap;

	output_clear(req);
	req->more = false;
	req->status = status;
	va_start(ap, fmt);
	vsnprintfrr(req->text, sizeof(req->text), fmt, ap);
	va_end(ap);
	req->text[strcspn(req->text, "\n")] = '\0';
	cut_character(req->text);
	replace_odd(req->text);
}

void relay_grpc_fail_errno(struct relay_grpc_request *req, int ret,
			   const char *text)
{
	grpc_status_code status;

	switch (-ret) {
	case EINVAL:
	case ENOENT: /* as FRR's clients expect of paths */
		status = GRPC_STATUS_INVALID_ARGUMENT;
		break;
	case EMSGSIZE:
	case ENOMEM:
		status = GRPC_STATUS_RESOURCE_EXHAUSTED;
		break;
	default:
		status = GRPC_STATUS_INTERNAL;
		break;
	}
	relay_grpc_fail(req, status, "%s", text);
}

bool relay_grpc_format(struct relay_grpc_request *req, int encoding,
		       LYD_FORMAT *format)
{
	switch (encoding) {
	case FRR__ENCODING__JSON:
		*format = LYD_JSON;
		return true;
	case FRR__ENCODING__XML:
		*format = LYD_XML;
		return true;
	default:
		relay_grpc_fail(req, GRPC_STATUS_INVALID_ARGUMENT,
				"no encoding %d", encoding);
		return false;
	}
}

const char *relay_grpc_status_str(grpc_status_code status)
{
	switch (status) {
	case GRPC_STATUS_OK:
		return "OK";
	case GRPC_STATUS_INVALID_ARGUMENT:
		return "INVALID_ARGUMENT";
	case GRPC_STATUS_NOT_FOUND:
		return "NOT_FOUND";
	case GRPC_STATUS_RESOURCE_EXHAUSTED:
		return "RESOURCE_EXHAUSTED";
	case GRPC_STATUS_FAILED_PRECONDITION:
		return "FAILED_PRECONDITION";
	case GRPC_STATUS_ABORTED:
		return "ABORTED";
	case GRPC_STATUS_UNIMPLEMENTED:
		return "UNIMPLEMENTED";
	case GRPC_STATUS_INTERNAL:
		return "INTERNAL";
	case GRPC_STATUS_UNAVAILABLE:
		return "UNAVAILABLE";
	default:
		return "another status";
	}
}
