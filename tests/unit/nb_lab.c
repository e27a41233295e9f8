// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>

#include "command.h"
#include "log.h"
#include "memory.h"
#include "vty.h"

#include "compat.h"
#include "relay_memory.h"
#include "relay_nb.h"

#include "nb_lab.h"

DEFINE_MGROUP(RELAYD, "relayd");

struct lab_state lab;
unsigned int lab_logged;

static struct frr_loop *loop;

static const char module_text[] =
	"module relay-lab {"
	" yang-version 1.1; namespace \"urn:relay-lab\"; prefix lab;"
	" container box {"
	"  leaf size { type uint8; default 5; }"
	"  leaf lid { type enumeration { enum open; enum shut; } }"
	"  leaf-list tag { type string; }"
	"  container note { presence \"noted\"; leaf text { type string; } }"
	"  choice way {"
	"   case road { leaf road { type string; } }"
	"   container rail { leaf gauge { type uint16; default 1435; }"
	"    leaf-list sleeper { type uint8; } }"
	"   leaf-list line { type string; }"
	"  }"
	"  container gate { presence \"there\"; leaf width { type uint8; }"
	"   container state { config false; leaf open { type boolean; } } }"
	"  container state { config false;"
	"   choice hue { leaf paint { type string; }"
	"    case blend { leaf blend { type string; } } }"
	"   leaf flag { type empty; }"
	"   leaf-list mark { type string; }"
	"   leaf odd { type uint8; }"
	"   leaf made { type string; } leaf-list making { type string; }"
	"   container seal { presence \"sealed\"; leaf by { type string; } } }"
	"  list shelf { key \"row side\";"
	"   leaf row { type uint8; }"
	"   leaf side { type enumeration { enum right; enum left; } }"
	"   leaf label { type string { length \"1..20\"; } }"
	"   leaf depth { type uint8; default 30; }"
	"   container state { config false;"
	"    leaf books { type uint32; }"
	"    list book { key isbn; leaf isbn { type string; }"
	"     leaf title { type string; } }"
	"    list event { leaf what { type string; } }"
	"    list loan { key who; leaf who { type string; } } } }"
	"  list pile { key name; ordered-by user;"
	"   leaf name { type string; } leaf high { type uint8; } }"
	" }"
	" list row { config false; key id; leaf id { type uint32; }"
	"  leaf load { type uint32; } }"
	"}";

static struct yang_module_embed embed = {
	.mod_name = "relay-lab",
	.mod_rev = "",
	.sub_mod_name = "",
	.sub_mod_rev = "",
	.data = module_text,
	.format = LYS_IN_YANG,
};

/* ---------------------------------------------------------------- callbacks */

static int create(struct nb_cb_create_args *args)
{
	return NB_OK;
}

static int modify(struct nb_cb_modify_args *args)
{
	return NB_OK;
}

static int destroy(struct nb_cb_destroy_args *args)
{
	return NB_OK;
}

static int move(struct nb_cb_move_args *args)
{
	return NB_OK;
}

static const char *leaf_of(const char *xpath)
{
	return strrchr(xpath, '/') + 1;
}

static struct yang_data *text(const char *xpath, const char *value)
{
	return value ? yang_data_new_string(xpath, value) : NULL;
}

static struct yang_data *box_elem(struct nb_cb_get_elem_args *args)
{
	const char *leaf = leaf_of(args->xpath);

	lab.elems++;
	if (!strcmp(leaf, "paint"))
		return text(args->xpath, lab.paint);
	if (!strcmp(leaf, "blend"))
		return text(args->xpath, lab.blend);
	if (!strcmp(leaf, "odd"))
		return text(args->xpath, lab.odd);
	if (!strcmp(leaf, "made"))
		return text(args->xpath, lab.made);
	if (!strcmp(leaf, "by"))
		return text(args->xpath, lab.seal_by);
	if (!strcmp(leaf, "flag"))
		return lab.flag ? yang_data_new_empty(args->xpath) : NULL;
	if (!strcmp(leaf, "seal"))
		return lab.seal ? yang_data_new(args->xpath, NULL) : NULL;
	assert_string_equal(leaf, "open");
	return yang_data_new_bool(args->xpath, lab.open);
}

static const void *mark_next(struct nb_cb_get_next_args *args)
{
	const char *const *entry = args->list_entry;

	entry = entry ? entry + 1 : &lab.mark[0];
	return *entry ? entry : NULL;
}

static struct yang_data *mark_elem(struct nb_cb_get_elem_args *args)
{
	const char *const *entry = args->list_entry;

	return text(args->xpath, *entry);
}

static const void *making_next(struct nb_cb_get_next_args *args)
{
	const char *const *entry = args->list_entry;

	entry = entry ? entry + 1 : &lab.making[0];
	return *entry ? entry : NULL;
}

/* for FRR 10: the leaf, or all of the leaf-list */
__attribute__((unused)) static enum nb_error
make(const struct nb_node *node, const void *entry, struct lyd_node *parent)
{
	const struct lysc_node *snode = node->snode;
	const char *const one[] = {lab.made, NULL};
	const char *const *value = lab.making;

	if (snode->nodetype == LYS_LEAF)
		value = one;
	for (; *value; value++)
		if (lyd_new_term(parent, snode->module, snode->name, *value, 0,
				 NULL))
			return NB_ERR_RESOURCE;
	return NB_OK;
}

static const void *shelf_next(struct nb_cb_get_next_args *args)
{
	const struct lab_shelf *shelf = args->list_entry;

	lab.nexts++;
	shelf = shelf ? shelf + 1 : &lab.shelf[0];
	return shelf < &lab.shelf[lab.nshelves] ? shelf : NULL;
}

static int shelf_keys(struct nb_cb_get_keys_args *args)
{
	const struct lab_shelf *shelf = args->list_entry;

	args->keys->num = 2;
	snprintf(args->keys->key[0], LIST_MAXKEYLEN, "%u", shelf->row);
	strlcpy(args->keys->key[1], shelf->side, LIST_MAXKEYLEN);
	return NB_OK;
}

static const void *shelf_lookup(struct nb_cb_lookup_entry_args *args)
{
	lab.lookups++;
	for (size_t i = 0; i < lab.nshelves; i++)
		if (atoi(args->keys->key[0]) == (int)lab.shelf[i].row &&
		    !strcmp(args->keys->key[1], lab.shelf[i].side))
			return &lab.shelf[i];
	return NULL;
}

static struct yang_data *shelf_elem(struct nb_cb_get_elem_args *args)
{
	const struct lab_shelf *shelf = args->list_entry;

	lab.elems++;
	if (!shelf) {
		lab.without_entry++;
		return NULL;
	}
	return yang_data_new_uint32(args->xpath, shelf->nbooks);
}

static const void *book_next(struct nb_cb_get_next_args *args)
{
	const struct lab_shelf *shelf = args->parent_list_entry;
	const struct lab_book *book = args->list_entry;

	lab.nexts++;
	if (!shelf)
		return NULL;
	book = book ? book + 1 : shelf->book;
	return book && book < shelf->book + shelf->nbooks ? book : NULL;
}

static int book_keys(struct nb_cb_get_keys_args *args)
{
	const struct lab_book *book = args->list_entry;

	args->keys->num = 1;
	strlcpy(args->keys->key[0], book->isbn, LIST_MAXKEYLEN);
	return NB_OK;
}

static const void *book_lookup(struct nb_cb_lookup_entry_args *args)
{
	const struct lab_shelf *shelf = args->parent_list_entry;

	lab.lookups++;
	for (size_t i = 0; shelf && i < shelf->nbooks; i++)
		if (!strcmp(shelf->book[i].isbn, args->keys->key[0]))
			return &shelf->book[i];
	return NULL;
}

static struct yang_data *book_elem(struct nb_cb_get_elem_args *args)
{
	const struct lab_book *book = args->list_entry;

	lab.elems++;
	if (!book) {
		lab.without_entry++;
		return NULL;
	}
	return yang_data_new_string(args->xpath, book->title);
}

static const void *event_next(struct nb_cb_get_next_args *args)
{
	const struct lab_shelf *shelf = args->parent_list_entry;
	const char *const *event = args->list_entry;

	if (!shelf)
		return NULL;
	event = event ? event + 1 : &shelf->event[0];
	return event < &shelf->event[array_size(shelf->event)] && *event ? event
									 : NULL;
}

/* A list whose entries none but a walk finds. */
static const void *loan_next(struct nb_cb_get_next_args *args)
{
	static const char *const loans[] = {"ann", "bob"};
	const char *const *loan = args->list_entry;

	loan = loan ? loan + 1 : &loans[0];
	return loan < &loans[array_size(loans)] ? loan : NULL;
}

static int loan_keys(struct nb_cb_get_keys_args *args)
{
	const char *const *loan = args->list_entry;

	args->keys->num = 1;
	strlcpy(args->keys->key[0], *loan, LIST_MAXKEYLEN);
	return NB_OK;
}

static const void *loan_lookup(struct nb_cb_lookup_entry_args *args)
{
	return NULL;
}

/* An entry is its number, as a pointer. */
static const void *row_next(struct nb_cb_get_next_args *args)
{
	uintptr_t id = (uintptr_t)args->list_entry + 1;

	return id <= lab.rows ? (const void *)id : NULL;
}

static int row_keys(struct nb_cb_get_keys_args *args)
{
	args->keys->num = 1;
	snprintf(args->keys->key[0], LIST_MAXKEYLEN, "%u",
		 (unsigned int)(uintptr_t)args->list_entry);
	return NB_OK;
}

static const void *row_lookup(struct nb_cb_lookup_entry_args *args)
{
	uintptr_t id = strtoul(args->keys->key[0], NULL, 10);

	return id && id <= lab.rows ? (const void *)id : NULL;
}

static struct yang_data *row_elem(struct nb_cb_get_elem_args *args)
{
	return yang_data_new_uint32(args->xpath,
				    (uintptr_t)args->list_entry * 10);
}

#define LEAF(path)                                                             \
	{                                                                      \
		.xpath = BOX path,                                             \
		.cbs = {.modify = modify, .destroy = destroy},                 \
	}
#define ENTRY(path)                                                            \
	{                                                                      \
		.xpath = BOX path,                                             \
		.cbs = {.create = create, .destroy = destroy},                 \
	}
#define STATE(path, cb)                                                        \
	{                                                                      \
		.xpath = BOX path, .cbs = {.get_elem = cb},                    \
	}

static const struct frr_yang_module_info lab_info = {
	.name = "relay-lab",
	.nodes =
		{
			LEAF("/size"),
			LEAF("/lid"),
			ENTRY("/tag"),
			ENTRY("/note"),
			LEAF("/note/text"),
			LEAF("/road"),
			/* FRR 10 asks for those of a case's container */
			ENTRY("/rail"),
			LEAF("/rail/gauge"),
			ENTRY("/rail/sleeper"),
			ENTRY("/line"),
			ENTRY("/gate"),
			LEAF("/gate/width"),
			STATE("/gate/state/open", box_elem),
			STATE("/state/paint", box_elem),
			STATE("/state/blend", box_elem),
			STATE("/state/flag", box_elem),
			{
				.xpath = BOX "/state/mark",
				.cbs = {.get_next = mark_next,
					.get_elem = mark_elem},
			},
			STATE("/state/odd", box_elem),
			{
				.xpath = BOX "/state/made",
				.cbs = {COMPAT_GET(make, box_elem)},
			},
			{
				.xpath = BOX "/state/making",
				.cbs = {.get_next = making_next,
					COMPAT_GET(make, mark_elem)},
			},
			STATE("/state/seal", box_elem),
			STATE("/state/seal/by", box_elem),
			{
				.xpath = BOX "/shelf",
				.cbs =
					{
						.create = create,
						.destroy = destroy,
						.get_next = shelf_next,
						.get_keys = shelf_keys,
						.lookup_entry = shelf_lookup,
					},
			},
			LEAF("/shelf/label"),
			LEAF("/shelf/depth"),
			STATE("/shelf/state/books", shelf_elem),
			{
				.xpath = BOX "/shelf/state/book",
				.cbs =
					{
						.get_next = book_next,
						.get_keys = book_keys,
						.lookup_entry = book_lookup,
					},
			},
			STATE("/shelf/state/book/isbn", book_elem),
			STATE("/shelf/state/book/title", book_elem),
			{
				.xpath = BOX "/shelf/state/event",
				.cbs = {.get_next = event_next},
			},
			STATE("/shelf/state/event/what", mark_elem),
			{
				.xpath = BOX "/shelf/state/loan",
				.cbs =
					{
						.get_next = loan_next,
						.get_keys = loan_keys,
						.lookup_entry = loan_lookup,
					},
			},
			STATE("/shelf/state/loan/who", mark_elem),
			{
				.xpath = BOX "/pile",
				.cbs =
					{
						.create = create,
						.destroy = destroy,
						.move = move,
					},
			},
			LEAF("/pile/high"),
			{
				.xpath = "/relay-lab:row",
				.cbs =
					{
						.get_next = row_next,
						.get_keys = row_keys,
						.lookup_entry = row_lookup,
					},
			},
			{
				.xpath = "/relay-lab:row/id",
				.cbs = {.get_elem = row_elem},
			},
			{
				.xpath = "/relay-lab:row/load",
				.cbs = {.get_elem = row_elem},
			},
			{
				.xpath = NULL,
			},
		},
};

/* -------------------------------------------------------------------- start */

static void count_message(const char *msg)
{
	lab_logged++;
}

int lab_start(void **state)
{
	static const struct frr_yang_module_info *const modules[] = {
		&frr_relay_info,
		&lab_info,
	};

	zlog_aux_init("NONE: ", ZLOG_DISABLED);
	loop = event_master_create("test");
	cmd_init(1);
	vty_init(loop, false);
	yang_module_embed(&embed);
	compat_nb_init(loop, modules, array_size(modules));
	compat_ly_log(count_message);
	return 0;
}

int lab_stop(void **state)
{
	nb_terminate();
	yang_terminate();
	vty_terminate();
	cmd_terminate();
	event_master_free(loop);
	return 0;
}

/* -------------------------------------------------------------------- trees */

struct lyd_node *lab_raw_tree(const char *json)
{
	struct lyd_node *tree = NULL;

	assert_int_equal(lyd_parse_data_mem(ly_native_ctx, json, LYD_JSON,
					    LYD_PARSE_ONLY | LYD_PARSE_STRICT,
					    0, &tree),
			 LY_SUCCESS);
	return tree;
}

struct lyd_node *lab_tree(const char *json)
{
	struct lyd_node *tree = lab_raw_tree(json);

	assert_int_equal(lyd_validate_all(&tree, ly_native_ctx,
					  LYD_VALIDATE_NO_STATE, NULL),
			 LY_SUCCESS);
	return tree;
}

const char *lab_json(const struct lyd_node *tree, bool with_defaults)
{
	static char *kept[8];
	static size_t at;
	uint32_t options = LYD_PRINT_WITHSIBLINGS | LYD_PRINT_SHRINK;

	at = (at + 1) % array_size(kept);
	free(kept[at]);
	kept[at] = NULL;
	options |= with_defaults ? LYD_PRINT_WD_ALL : LYD_PRINT_WD_TRIM;
	if (tree)
		assert_int_equal(
			lyd_print_mem(&kept[at], tree, LYD_JSON, options),
			LY_SUCCESS);
	return kept[at] ? kept[at] : "";
}

void lab_check_tree(const struct lyd_node *tree)
{
	const struct lyd_node *node, *last = tree;
	struct lyd_node *match;

	LY_LIST_FOR (tree, node) {
		last = node;
		assert_non_null(node->hash ? node : NULL);
		assert_ptr_equal(node->parent, tree->parent);
		if (node->next)
			assert_ptr_equal(node->next->prev, node);
		if (node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST))
			lyd_find_sibling_first(tree, node, &match);
		else
			lyd_find_sibling_val(tree, node->schema, NULL, 0,
					     &match);
		if (!lysc_is_dup_inst_list(node->schema))
			assert_ptr_equal(match, node);
		lab_check_tree(lyd_child(node));
	}
	if (tree)
		assert_ptr_equal(tree->prev, last);
}
