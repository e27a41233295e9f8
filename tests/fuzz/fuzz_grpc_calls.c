// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls of several gRPC clients, in any order, with vtysh beside them, answers
 * that are lost or come late, sessions that end, and time that passes.
 *
 * The input is a row of steps, an octet and what it needs each. Beside the
 * services there is a model of what they ought to know (grpc_model.h), which is
 * held against them after each step.
 */
#define FUZZ_NB_LAB
#include "fuzz.h"

#include "northbound_cli.h"

#include "relay.h"

#include "grpc_model.h"

#define STEPS 150
#define SESSIONS 4
#define HELD 8
#define STREAMS 70

enum step {
	STEP_CREATE,
	STEP_DELETE,
	STEP_UPDATE,
	STEP_EDIT,
	STEP_LOAD,
	STEP_COMMIT,
	STEP_LIST,
	STEP_GET_TRANSACTION,
	STEP_GET,
	STEP_CAPABILITIES,
	STEP_LOCK,
	STEP_UNLOCK,
	STEP_EXECUTE,
	STEP_SUBSCRIBE,
	STEP_UNSUBSCRIBE,
	STEP_STATUS, /* of a relay changes */
	STEP_RAW,
	STEP_SETTLE, /* what became of an answer that was held back */
	STEP_LEAVE,  /* a session ends, and another client comes */
	STEP_PASS,
	STEP_MANY, /* candidates, or commits */
	STEP_VTYSH_EDIT,
	STEP_VTYSH_COMMIT,
	STEP_VTYSH_LOCK,
	STEP_LAST
};

/* ------------------------------------------------------------------- input */

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static size_t take_len(struct input *in)
{
	size_t len = take(in);

	return MIN(len, in->left);
}

/* A string of the input's own, or one of the list. */
static const char *take_text(struct input *in, const char *const *list,
			     size_t n)
{
	static char kept[8][256];
	static size_t at;
	uint8_t which = take(in);
	char *text;
	size_t len;

	if (which < 240)
		return list[which % n];
	at = (at + 1) % array_size(kept);
	text = kept[at];
	len = take_len(in);
	memcpy(text, in->p, MIN(len, sizeof(kept[0]) - 1));
	text[MIN(len, sizeof(kept[0]) - 1)] = '\0';
	in->p += len;
	in->left -= len;
	return text;
}

#define OTHER BOX "/shelf[row='2'][side='right']"

static const char *const paths[] = {
	BOX "/size",
	BOX "/lid",
	BOX "/tag[.='a']",
	BOX "/tag[.='b']",
	BOX "/tag",
	BOX "/note",
	BOX "/note/text",
	BOX "/road",
	BOX "/rail",
	BOX "/rail/gauge",
	BOX "/rail/sleeper[.='1']",
	BOX "/line[.='a']",
	BOX "/line[.='b']",
	BOX "/gate",
	BOX "/gate/width",
	BOX "/gate/state/open",
	SHELF,
	SHELF "/label",
	SHELF "/depth",
	SHELF "/row",
	SHELF "/state/books",
	OTHER,
	OTHER "/label",
	OTHER "/depth",
	BOX "/shelf",
	BOX "/pile[name='x']",
	BOX "/pile[name='y']/high",
	BOX "/state/flag",
	BOX,
	"/",
	"",
	"/relay-lab:row[id='1']/load",
	BOX "/nix",
	BOX "/shelf[row='300'][side='left']",
	"/frr-relay:relay/instance[name='r']",
	"/frr-relay:relay/instance[name='counters']",
	"/frr-relay:relay/graceful-restart/restart-time",
	"/frr-relay:relay/track-object[id='7']",
	"/frr-relay:clear-counters",
	"relay-lab:box",
	"/nix:box",
};

static const char *const values[] = {
	"",	    "1",    "5",   "7",	   "30",
	"1435",	    "a",    "b",   "open", "shut",
	"x",	    "true", "256", "-1",   "a word that is longer than twenty",
	"\xc3\xa9",
};

static const char *const trees[] = {
	"{}",
	"",
	"{\"relay-lab:box\":{}}",
	"{\"relay-lab:box\":{\"size\":9,\"lid\":\"shut\"}}",
	"{\"relay-lab:box\":{\"size\":5,\"tag\":[\"a\",\"c\"]}}",
	"{\"relay-lab:box\":{\"shelf\":[{\"row\":1,\"side\":\"left\",\"label\":\"l\"},{\"row\":2,\"side\":\"right\"}]}}",
	"{\"relay-lab:box\":{\"road\":\"A1\",\"line\":[\"a\"]}}",
	"{\"relay-lab:box\":{\"rail\":{\"gauge\":1000,\"sleeper\":[1,2]}}}",
	"{\"relay-lab:box\":{\"pile\":[{\"name\":\"y\"},{\"name\":\"x\",\"high\":3}]}}",
	"{\"relay-lab:box\":{\"note\":{\"text\":\"t\"},\"gate\":{}}}",
	"{\"relay-lab:box\":{\"state\":{\"odd\":1}}}",
	"{\"relay-lab:box\":{\"nix\":1}}",
	"{\"relay-lab:box\":{\"size\":300}}",
	"{\"frr-relay:relay\":{\"instance\":[{\"name\":\"r\"}]}}",
	"<box xmlns=\"urn:relay-lab\"><size>9</size></box>",
	"<box xmlns=\"urn:relay-lab\"><note/><tag>a</tag></box>",
	"{\"relay-lab:box\":",
	"[]",
};

static const char *const comments[] = {"", "why", "gr\xc3\xbc\xc3\x9f",
				       "two\nlines"};

static const char *const rpcs[] = {
	"/frr-relay:clear-counters",
	"/frr-relay:clear-peers",
	"/frr-relay:clear-dampening",
	"/frr-relay:relay",
	"clear-counters",
	"",
};

static const char *const inputs[] = {
	"name",
	"/frr-relay:clear-counters/input/name",
	"frr-relay:name",
	"/frr-relay:clear-peers/input/name",
	"nix",
	"",
	"/",
};

#define TEXT(in, list) ((char *)take_text(in, list, array_size(list)))

/* ------------------------------------------------------------------- calls */

static uint64_t sessions[SESSIONS], last_session;

static struct held {
	struct grpc_call *call;
	struct model_undo undo;
} held[HELD];
static size_t nheld;

static struct grpc_call *streams[STREAMS];
static size_t nstreams;

/* How the answer fares: arrives, is lost, or nobody knows yet. */
static void finish(struct grpc_call *call, uint8_t how)
{
	struct model_undo undo = model_call(call);

	if (call->open) {
		FUZZ_ASSERT(nstreams < STREAMS);
		streams[nstreams++] = call;
	} else if (how % 8 == 7) {
		grpc_call_lose(call);
		model_lost(&undo);
	} else if (how % 8 == 6 && nheld < HELD) {
		held[nheld++] = (struct held){call, undo};
	} else {
		grpc_call_end(call);
	}
}

static void call(uint8_t how, const char *name, const ProtobufCMessage *input)
{
	finish(grpc_call(sessions[how / 8 % SESSIONS], name, input), how);
}

static void settle(uint8_t how)
{
	struct held one;

	if (!nheld)
		return;
	one = held[how / 2 % nheld];
	nheld--;
	held[how / 2 % (nheld + 1)] = held[nheld];
	if (how & 1) {
		grpc_call_lose(one.call);
		model_lost(&one.undo);
	} else {
		grpc_call_end(one.call);
	}
}

static uint32_t take_candidate(struct input *in)
{
	uint8_t which = take(in);

	return which < 250 ? model_candidate(which) : which - 250;
}

#define VALUES 4

/* Up to VALUES of them. */
static size_t take_values(struct input *in, Frr__PathValue *value,
			  Frr__PathValue **list)
{
	size_t n = take(in) % (VALUES + 1);

	for (size_t i = 0; i < n; i++) {
		frr__path_value__init(&value[i]);
		value[i].path = TEXT(in, paths);
		value[i].value = TEXT(in, values);
		list[i] = &value[i];
	}
	return n;
}

static void edit(struct input *in, uint8_t how)
{
	Frr__EditCandidateRequest input = FRR__EDIT_CANDIDATE_REQUEST__INIT;
	Frr__PathValue update[VALUES], *updates[VALUES], del[VALUES],
		*dels[VALUES];

	input.candidate_id = take_candidate(in);
	input.n_update = take_values(in, update, updates);
	input.update = updates;
	input.n_delete_ = take_values(in, del, dels);
	input.delete_ = dels;
	call(how, "EditCandidate", &input.base);
}

static void load(struct input *in, uint8_t how)
{
	Frr__LoadToCandidateRequest input =
		FRR__LOAD_TO_CANDIDATE_REQUEST__INIT;
	Frr__DataTree tree = FRR__DATA_TREE__INIT;
	uint8_t kind = take(in);

	input.candidate_id = take_candidate(in);
	input.type = kind % 8 == 7 ? 2 : kind % 2;
	tree.encoding = kind / 8 % 8 == 7 ? 2 : kind / 8 % 2;
	tree.data = TEXT(in, trees);
	input.config = kind / 64 == 3 ? NULL : &tree;
	call(how, "LoadToCandidate", &input.base);
}

static void commit(struct input *in, uint8_t how)
{
	Frr__CommitRequest input = FRR__COMMIT_REQUEST__INIT;
	char text[1100];
	uint8_t phase;

	input.candidate_id = take_candidate(in);
	phase = take(in);
	input.phase = phase % 8 < 6 ? phase % 8 : ALL;
	input.comment = TEXT(in, comments);
	/* about as long as it may be */
	if (phase / 8 == 31) {
		memset(text, 'c', sizeof(text));
		text[1020 + take(in) % 8] = '\0';
		input.comment = text;
	}
	call(how, "Commit", &input.base);
}

static void get(struct input *in, uint8_t how)
{
	Frr__GetRequest input = FRR__GET_REQUEST__INIT;
	uint8_t kind = take(in);
	char *path[VALUES];

	input.type = kind % 4;
	input.encoding = kind / 4 % 8 == 7 ? 2 : kind / 4 % 2;
	input.with_defaults = kind & 0x80;
	input.n_path = take(in) % (VALUES + 1);
	for (size_t i = 0; i < input.n_path; i++)
		path[i] = TEXT(in, paths);
	input.path = path;
	call(how, "Get", &input.base);
}

static void execute(struct input *in, uint8_t how)
{
	Frr__ExecuteRequest input = FRR__EXECUTE_REQUEST__INIT;
	Frr__PathValue value[2], *list[2] = {&value[0], &value[1]};

	input.path = TEXT(in, rpcs);
	input.n_input = take(in) % 3;
	input.input = list;
	for (size_t i = 0; i < input.n_input; i++) {
		frr__path_value__init(&value[i]);
		value[i].path = TEXT(in, inputs);
		value[i].value = TEXT(in, values);
	}
	call(how, "Execute", &input.base);
}

static void raw(struct input *in, uint8_t how)
{
	const struct relay_grpc_method *method = relay_grpc_methods;
	size_t len;

	for (uint8_t n = take(in) % 14; n && method[1].path; n--)
		method++;
	len = take_len(in);
	/* as if it were sent in the name of the session */
	finish(grpc_call_octets(sessions[how / 8 % SESSIONS], method->path,
				in->p, len),
	       how);
	in->p += len;
	in->left -= len;
}

/* ----------------------------------------------------------------- streams */

static void subscribe(struct input *in, uint8_t how)
{
	Relay__V1__SubscribeRequest input = RELAY__V1__SUBSCRIBE_REQUEST__INIT;
	char *name = TEXT(in, values);

	input.n_name = how & 4 ? 1 : 0;
	input.name = &name;
	call(how, "/relay.v1.Events/Subscribe", &input.base);
}

static void unsubscribe(uint8_t which)
{
	if (!nstreams)
		return;
	which %= nstreams;
	grpc_call_end(streams[which]);
	nstreams--;
	streams[which] = streams[nstreams];
	model_streams(nstreams);
}

/* What hook_call() does, which relay.c has to itself. */
static void tell(const struct hook *hook, const struct relay *relay)
{
	const struct hookent *entry;

	for (entry = hook->entries; entry; entry = entry->next)
		if (hook == &_hook_relay_status_change)
			((int (*)(const struct relay *, enum relay_oper))
				 entry->hookfn)(relay, RELAY_OPER_INIT);
		else
			((int (*)(const struct relay *))entry->hookfn)(relay);
}

/* All hear of it. */
static void status(uint8_t which)
{
	static struct relay relay = {.cfg.name = "r"};
	size_t before[STREAMS];

	for (size_t i = 0; i < nstreams; i++)
		before[i] = relay_grpc_messages_count(&streams[i]->sent);
	relay.oper = which % 2 ? RELAY_OPER_UP : RELAY_OPER_DOWN;
	tell(which / 2 % 3 == 0	  ? &_hook_relay_status_change
	     : which / 2 % 3 == 1 ? &_hook_relay_added
				  : &_hook_relay_removed,
	     &relay);
	for (size_t i = 0; i < nstreams; i++)
		FUZZ_ASSERT(relay_grpc_messages_count(&streams[i]->sent) ==
			    before[i] + 1);
}

/* ------------------------------------------------------------------- steps */

static void simple_call(struct input *in, enum step step, uint8_t how)
{
	Frr__CreateCandidateRequest create =
		FRR__CREATE_CANDIDATE_REQUEST__INIT;
	Frr__DeleteCandidateRequest del = FRR__DELETE_CANDIDATE_REQUEST__INIT;
	Frr__UpdateCandidateRequest update =
		FRR__UPDATE_CANDIDATE_REQUEST__INIT;
	Frr__ListTransactionsRequest list =
		FRR__LIST_TRANSACTIONS_REQUEST__INIT;
	Frr__GetTransactionRequest one = FRR__GET_TRANSACTION_REQUEST__INIT;
	Frr__GetCapabilitiesRequest caps = FRR__GET_CAPABILITIES_REQUEST__INIT;
	Frr__LockConfigRequest lock = FRR__LOCK_CONFIG_REQUEST__INIT;
	Frr__UnlockConfigRequest unlock = FRR__UNLOCK_CONFIG_REQUEST__INIT;
	uint8_t kind;

	switch (step) {
	case STEP_CREATE:
		call(how, "CreateCandidate", &create.base);
		break;
	case STEP_DELETE:
		del.candidate_id = take_candidate(in);
		call(how, "DeleteCandidate", &del.base);
		break;
	case STEP_UPDATE:
		update.candidate_id = take_candidate(in);
		call(how, "UpdateCandidate", &update.base);
		break;
	case STEP_LIST:
		call(how, "ListTransactions", &list.base);
		break;
	case STEP_GET_TRANSACTION:
		kind = take(in);
		one.transaction_id = model_transaction(take(in));
		one.encoding = kind % 8 == 7 ? 2 : kind % 2;
		one.with_defaults = kind & 0x80;
		call(how, "GetTransaction", &one.base);
		break;
	case STEP_CAPABILITIES:
		call(how, "GetCapabilities", &caps.base);
		break;
	case STEP_LOCK:
		call(how, "LockConfig", &lock.base);
		break;
	case STEP_UNLOCK:
		call(how, "UnlockConfig", &unlock.base);
		break;
	default:
		break;
	}
}

/* So many that bounds are reached. */
static void many(struct input *in, uint8_t how)
{
	Frr__EditCandidateRequest edit = FRR__EDIT_CANDIDATE_REQUEST__INIT;
	Frr__CommitRequest commit = FRR__COMMIT_REQUEST__INIT;
	Frr__PathValue value = FRR__PATH_VALUE__INIT, *list = &value;

	edit.candidate_id = commit.candidate_id = model_candidate(0);
	edit.n_update = 1;
	edit.update = &list;
	value.path = (char *)BOX "/size";
	commit.phase = ALL;
	for (int i = 0; i < how % 64; i++) {
		if (how & 0x80) {
			value.value = (char *)(i % 2 ? "1" : "2");
			call(0, "EditCandidate", &edit.base);
			call(0, "Commit", &commit.base);
		} else {
			simple_call(in, STEP_CREATE, how & ~7);
		}
	}
}

static void leave(size_t which)
{
	grpc_session_ended(sessions[which]);
	model_session_ended(sessions[which]);
	sessions[which] = ++last_session;
}

static void one_step(struct input *in)
{
	enum step step = take(in) % STEP_LAST;
	uint8_t how = take(in);
	const char *path;

	switch (step) {
	case STEP_EDIT:
		edit(in, how);
		break;
	case STEP_LOAD:
		load(in, how);
		break;
	case STEP_COMMIT:
		commit(in, how);
		break;
	case STEP_GET:
		get(in, how);
		break;
	case STEP_EXECUTE:
		execute(in, how);
		break;
	case STEP_RAW:
		raw(in, how);
		break;
	case STEP_SUBSCRIBE:
		subscribe(in, how);
		break;
	case STEP_UNSUBSCRIBE:
		unsubscribe(how);
		break;
	case STEP_STATUS:
		status(how);
		break;
	case STEP_SETTLE:
		settle(how);
		break;
	case STEP_LEAVE:
		leave(how % SESSIONS);
		break;
	case STEP_PASS:
		model_pass(how);
		break;
	case STEP_MANY:
		many(in, how);
		break;
	case STEP_VTYSH_EDIT:
		path = TEXT(in, paths);
		model_vtysh_edit(path, how & 1 ? TEXT(in, values) : NULL);
		break;
	case STEP_VTYSH_COMMIT:
		model_vtysh_commit();
		break;
	case STEP_VTYSH_LOCK:
		model_vtysh_lock(how & 1);
		break;
	default:
		simple_call(in, step, how);
		break;
	}
	model_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct input in = {data, size};

	if (!started)
		model_init();
	started = true;
	for (size_t i = 0; i < SESSIONS; i++)
		sessions[i] = ++last_session;
	model_start(take(&in));
	for (int i = 0; in.left && i < STEPS; i++)
		one_step(&in);

	/* when all have gone, nothing is left of them, in no more time than it
	 * takes */
	while (nheld)
		settle(data[0] + nheld);
	while (nstreams)
		unsubscribe(0);
	for (size_t i = 0; i < SESSIONS; i++)
		leave(i);
	model_check();
	model_stop();
	return 0;
}
