// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include "printfrr.h"

#include "compat.h"
#include "relay_nb_data.h"

/* A character that does not fit is left out whole. */
static void cut_utf8(char *text)
{
	size_t len = strlen(text), at = len, octets;
	unsigned char lead;

	while (at && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (!at)
		return;
	lead = text[--at];
	octets = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (len - at < octets)
		text[at] = '\0';
}

int relay_nb_err(char *err, size_t err_len, int error, const char *fmt, ...)
{
	va_list ap;
	ssize_t len;

	va_start(ap, fmt);
	len = vsnprintfrr(err, err_len, fmt, ap);
	va_end(ap);
	if (len >= (ssize_t)err_len)
		cut_utf8(err);
	for (unsigned char *c = (unsigned char *)err; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = ' ';
	return -error;
}

void relay_nb_quiet_begin(void)
{
	/* libyang keeps the pointer */
	static uint32_t store_only = LY_LOSTORE_LAST;

	ly_err_clean(ly_native_ctx, NULL);
	ly_temp_log_options(&store_only);
}

void relay_nb_quiet_end(char *msg, size_t len, const char *other)
{
	const char *last = compat_ly_errmsg();
	size_t end;

	if (msg) {
		strlcpy(msg, last && last[0] ? last : other, len);
		end = strlen(msg);
		if (end && msg[end - 1] == '.')
			msg[end - 1] = '\0';
	}
	/* or libfrr would take it for one of its own, later on */
	ly_err_clean(ly_native_ctx, NULL);
	ly_temp_log_options(NULL);
}

#define YANG_HEADER "YANG error(s):\n"

/* Does the line of *n octets begin with the word? It is then what follows. */
static bool begins(const char **text, size_t *n, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len))
		return false;
	*text += len;
	*n -= len;
	return true;
}

static void add_text(char *line, size_t len, const char *before,
		     const char *text, size_t n, const char *after)
{
	size_t used = strlen(line);

	snprintf(line + used, len - used, "%s%.*s%s", before, (int)MIN(n, len),
		 text, after);
}

static void add_path(char *line, size_t len, const char *text, size_t n)
{
	char where[XPATH_MAXLEN + 64];
	const char *path;

	snprintf(where, sizeof(where), "%.*s", (int)MIN(n, sizeof(where)),
		 text);
	path = compat_ly_path(where, &n);
	if (n)
		add_text(line, len, " (", path, n, ")");
}

/* FRR 8.4 has all messages, and the last one's path behind "YANG path: "; 10
 * has "Path: " and "Error: " of each. */
void relay_nb_refusal(const char *errmsg, char *line, size_t len)
{
	const char *text, *path = NULL;
	size_t n, rest, npath = 0;

	line[0] = '\0';
	if (strncmp(errmsg, YANG_HEADER, strlen(YANG_HEADER))) {
		add_text(line, len, "", errmsg, strcspn(errmsg, "\n"), "");
		return;
	}
	errmsg += strlen(YANG_HEADER);
	for (; *errmsg; errmsg += n + (errmsg[n] == '\n')) {
		errmsg += strspn(errmsg, " ");
		n = rest = strcspn(errmsg, "\n");
		text = errmsg;
		if (begins(&text, &rest, "YANG path: ")) {
			add_path(line, len, text, rest);
			continue;
		}
		if (begins(&text, &rest, "Path: ")) {
			path = text;
			npath = rest;
			continue;
		}
		begins(&text, &rest, "Error: ");
		if (rest)
			add_text(line, len, line[0] ? "; " : "", text, rest,
				 "");
		if (path)
			add_path(line, len, path, npath);
		path = NULL;
	}
}

/* A node of no parent is not among the others on top by itself. */
static LY_ERR beside(struct lyd_node *parent, struct lyd_node **top,
		     struct lyd_node *node)
{
	LY_ERR ret = LY_SUCCESS;

	if (!parent)
		ret = lyd_insert_sibling(*top, node, top);
	if (ret)
		lyd_free_tree(node);
	return ret;
}

struct lyd_node *relay_nb_copy(struct lyd_node *parent, struct lyd_node **top,
			       const struct lyd_node *node, bool recursive)
{
	struct lyd_node *copy;

	if (lyd_dup_single(node, (struct lyd_node_inner *)parent,
			   recursive ? LYD_DUP_RECURSIVE : 0, &copy) ||
	    beside(parent, top, copy))
		return NULL;
	return copy;
}

LY_ERR relay_nb_new(struct lyd_node *parent, struct lyd_node **top,
		    const struct lysc_node *snode, const char *const *value,
		    struct lyd_node **node)
{
	const struct lys_module *module = snode->module;
	const char *name = snode->name;
	LY_ERR ret;

	if (snode->nodetype == LYS_CONTAINER)
		ret = lyd_new_inner(parent, module, name, 0, node);
	else if (snode->nodetype == LYS_LIST)
		ret = lyd_new_list(parent, module, name, 0, node, value[0],
				   value[1], value[2], value[3], value[4],
				   value[5], value[6], value[7]);
	else
		ret = lyd_new_term(parent, module, name, value[0], 0, node);
	return ret ? ret : beside(parent, top, *node);
}

void relay_nb_remove(struct lyd_node **top, struct lyd_node *node)
{
	if (node == *top)
		*top = node->next;
	lyd_free_tree(node);
}

/* Is node of another case of the choice that the case is of? */
static bool other_case(const struct lyd_node *node,
		       const struct lysc_node *of_case)
{
	const struct lysc_node *up;

	for (up = node->schema; up && up != of_case->parent; up = up->parent)
		if (up == of_case)
			return false;
	return up != NULL;
}

void relay_nb_make_room(struct lyd_node *parent, struct lyd_node **top,
			const struct lysc_node *snode)
{
	const struct lysc_node *up = snode->parent;
	struct lyd_node *node, *next;

	/* a choice within a case of another is a reason for both */
	for (; up && up->nodetype & (LYS_CHOICE | LYS_CASE); up = up->parent) {
		if (up->nodetype != LYS_CASE)
			continue;
		for (node = parent ? lyd_child(parent) : *top; node;
		     node = next) {
			next = node->next;
			if (other_case(node, up))
				relay_nb_remove(top, node);
		}
	}
}

/* ------------------------------------------------------ by a path's step */

/* As libyang has it: [key='value'], or the value itself. */
static bool predicates(const struct relay_nb_step *step, char *buf, size_t len)
{
	const struct lysc_node_leaf *skey;
	size_t used = 0, i = 0;

	LY_FOR_KEYS (step->snode, skey) {
		char quote = strchr(step->key[i], '\'') ? '"' : '\'';
		int n = snprintf(buf + used, len - used, "[%s=%c%s%c]",
				 skey->name, quote, step->key[i], quote);

		if (n < 0 || (size_t)n >= len - used)
			return false;
		used += n;
		i++;
	}
	return true;
}

static bool has_keys(const struct lyd_node *node,
		     const struct relay_nb_step *step)
{
	const struct lyd_node *key = lyd_child(node);

	if (step->snode->nodetype == LYS_LEAFLIST)
		return !step->key[0] ||
		       strcmp(lyd_get_value(node), step->key[0]) == 0;
	for (size_t i = 0; i < step->nkeys && key; i++, key = key->next)
		if (step->key[i] && strcmp(lyd_get_value(key), step->key[i]))
			return false;
	return true;
}

/* the first of those from node on that fits */
static struct lyd_node *fitting(const struct lyd_node *node,
				const struct relay_nb_step *step)
{
	for (; node && node->schema == step->snode; node = node->next)
		if (has_keys(node, step))
			return (struct lyd_node *)node;
	return NULL;
}

struct lyd_node *relay_nb_first(const struct lyd_node *siblings,
				const struct relay_nb_step *step)
{
	struct lyd_node *node = NULL;
	char keys[XPATH_MAXLEN];

	if (relay_nb_step_is_entry(step)) {
		const char *which = keys;

		if (step->snode->nodetype == LYS_LEAFLIST)
			which = step->key[0];
		else if (!predicates(step, keys, sizeof(keys)))
			return NULL;
		lyd_find_sibling_val(siblings, step->snode, which, 0, &node);
		return node;
	}
	lyd_find_sibling_val(siblings, step->snode, NULL, 0, &node);
	return fitting(node, step);
}

struct lyd_node *relay_nb_next(const struct lyd_node *node,
			       const struct relay_nb_step *step)
{
	if (!(step->snode->nodetype & (LYS_LIST | LYS_LEAFLIST)) ||
	    relay_nb_step_is_entry(step))
		return NULL;
	return fitting(node->next, step);
}
