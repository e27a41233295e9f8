// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages of gRPC clients, each as if it were one for each method. */
#include "fuzz.h"

#include "grpc_request.h"

#include "tests/unit/utf8.h"

/* protobuf-c takes a field of the number 0, which there is none of, where its
 * number is written in more octets than it needs; and writes it in one then. */
static bool has_field_0;

static void check_strings(const ProtobufCMessage *msg);

static void check_member(const ProtobufCFieldDescriptor *field,
			 const void *member)
{
	if (!member)
		return;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		FUZZ_ASSERT(utf8_valid(member));
	else
		check_strings(member);
}

static void check_strings(const ProtobufCMessage *msg)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;

	FUZZ_ASSERT(desc->magic == PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
	for (unsigned int i = 0; i < msg->n_unknown_fields; i++)
		has_field_0 |= !msg->unknown_fields[i].tag;
	for (unsigned int i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &desc->fields[i];
		const uint8_t *at = (const uint8_t *)msg;
		const void *member;
		size_t n;

		if (field->type != PROTOBUF_C_TYPE_STRING &&
		    field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		memcpy(&member, at + field->offset, sizeof(member));
		if (field->label != PROTOBUF_C_LABEL_REPEATED) {
			check_member(field, member);
			continue;
		}
		memcpy(&n, at + field->quantifier_offset, sizeof(n));
		for (size_t j = 0; j < n; j++)
			check_member(field, ((void *const *)member)[j]);
	}
}

static bool decode(struct relay_grpc_request *req,
		   const struct relay_grpc_method *method,
		   const uint8_t *octets, size_t len)
{
	memset(req, 0, sizeof(*req));
	req->method = method;
	relay_grpc_request_init(req);
	return relay_grpc_request_decode(req, octets, len);
}

static void check_refusal(const struct relay_grpc_request *req)
{
	FUZZ_ASSERT(req->status == GRPC_STATUS_INVALID_ARGUMENT);
	FUZZ_ASSERT(req->text[0] && utf8_valid(req->text));
}

/* What was taken, packed, is taken again and is the same. */
static void check_again(const struct relay_grpc_request *req)
{
	struct relay_grpc_message *one = relay_grpc_message_new(req->input),
				  *two;
	struct relay_grpc_request again;

	FUZZ_ASSERT(decode(&again, req->method, one->octets, one->len));
	two = relay_grpc_message_new(again.input);
	FUZZ_ASSERT(one->len == two->len);
	FUZZ_ASSERT(memcmp(one->octets, two->octets, one->len) == 0);
	relay_grpc_message_free(one);
	relay_grpc_message_free(two);
	relay_grpc_request_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *octets = fuzz_at_the_edge(data, &size, 1);
	const struct relay_grpc_method *method;
	struct relay_grpc_request req;

	if (!octets)
		return 0;
	for (method = relay_grpc_methods; method->path; method++) {
		if (decode(&req, method, octets, size)) {
			FUZZ_ASSERT(req.status == GRPC_STATUS_OK);
			FUZZ_ASSERT(req.input->descriptor == method->input);
			has_field_0 = false;
			check_strings(req.input);
			if (!has_field_0)
				check_again(&req);
		} else {
			check_refusal(&req);
		}
		relay_grpc_request_clear(&req);
	}
	return 0;
}
