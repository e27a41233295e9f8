// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The journal of kernel objects, see tunnel_journal.h.
 *
 * Each line is one write(), so that a relayd killed at any point leaves at most
 * one torn line, at the end. There is no fsync: the file describes the running
 * kernel and is worthless after a crash of the machine.
 */
#include <zebra.h>

#include <fcntl.h>

#include "log.h"
#include "relay_memory.h"
#include "tunnel_journal.h"

DEFINE_MTYPE_STATIC(RELAYD, JOURNAL_ENTRY, "Relay journal entry");

#define JOURNAL_FILE "relayd.state"

static const char *const journal_kind_name[JOURNAL_KINDS] = {
	[JOURNAL_INTERFACE] = "interface", [JOURNAL_ADDRESS] = "address",
	[JOURNAL_SYSCTL] = "sysctl",	   [JOURNAL_TABLE] = "table",
	[JOURNAL_ROUTE] = "route",	   [JOURNAL_RELAY] = "relay",
	[JOURNAL_RESTART] = "restart",	   [JOURNAL_TC] = "tc",
	[JOURNAL_XDP] = "xdp",		   [JOURNAL_KEPT] = "kept",
};

static int journal_cmp(const struct journal_entry *a,
		       const struct journal_entry *b)
{
	if (a->kind != b->kind)
		return numcmp(a->kind, b->kind);
	return strcmp(a->key, b->key);
}

DECLARE_RBTREE_UNIQ(journal_tree, struct journal_entry, item, journal_cmp);

static struct journal_tree_head journal_head[1];
static char journal_path[MAXPATHLEN];
static int journal_fd = -1;
static size_t journal_lines; /* in the file, dead ones included */

static int journal_word(const char **pos, char *out, size_t len)
{
	size_t n = strcspn(*pos, " ");

	if (n == 0 || n >= len)
		return -1;
	memcpy(out, *pos, n);
	out[n] = '\0';
	*pos += n;
	return 0;
}

/* The value of a switch is going to be written to its key. */
static bool journal_key_valid(enum journal_kind kind, const char *key)
{
	return kind != JOURNAL_SYSCTL ||
	       (strncmp(key, "net/", 4) == 0 && !strstr(key, "/../"));
}

bool tunnel_journal_parse(const char *line, bool *add,
			  struct journal_entry *ent)
{
	char kind[16];
	size_t i;

	if ((line[0] != '+' && line[0] != '-') || line[1] != ' ')
		return false;
	*add = line[0] == '+';
	line += 2;
	if (journal_word(&line, kind, sizeof(kind)) < 0 || *line++ != ' ' ||
	    journal_word(&line, ent->key, sizeof(ent->key)) < 0)
		return false;
	for (i = 0; i < JOURNAL_KINDS; i++)
		if (strcmp(kind, journal_kind_name[i]) == 0)
			break;
	if (i == JOURNAL_KINDS || !journal_key_valid(i, ent->key))
		return false;
	ent->kind = i;
	ent->value[0] = '\0';
	if (!*add)
		return *line == '\0';
	/* the value ends with a dot, so that a torn line can be told */
	i = strlen(line);
	if (i < 4 || line[0] != ' ' || strcmp(line + i - 2, " .") != 0 ||
	    i - 3 >= sizeof(ent->value))
		return false;
	memcpy(ent->value, line + 1, i - 3);
	ent->value[i - 3] = '\0';
	return true;
}

static struct journal_entry *journal_put(const struct journal_entry *from)
{
	struct journal_entry *ent = journal_tree_find(journal_head, from);

	if (!ent) {
		ent = XCALLOC(MTYPE_JOURNAL_ENTRY, sizeof(*ent));
		ent->kind = from->kind;
		strlcpy(ent->key, from->key, sizeof(ent->key));
		journal_tree_add(journal_head, ent);
	}
	strlcpy(ent->value, from->value, sizeof(ent->value));
	return ent;
}

static void journal_drop(struct journal_entry *ent)
{
	journal_tree_del(journal_head, ent);
	XFREE(MTYPE_JOURNAL_ENTRY, ent);
}

static int journal_format(const struct journal_entry *ent, bool add, char *buf,
			  size_t len)
{
	if (add)
		return snprintf(buf, len, "+ %s %s %s .\n",
				journal_kind_name[ent->kind], ent->key,
				ent->value);
	return snprintf(buf, len, "- %s %s\n", journal_kind_name[ent->kind],
			ent->key);
}

/* The file anew with the living entries alone. */
static int journal_rewrite(void)
{
	char tmp[MAXPATHLEN + 8],
		line[JOURNAL_KEY_LEN + JOURNAL_VALUE_LEN + 32];
	struct journal_entry *ent;
	FILE *fp;
	int fd, ret = 0;

	snprintf(tmp, sizeof(tmp), "%s.new", journal_path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	fp = fdopen(fd, "w");
	if (!fp) {
		ret = -errno;
		close(fd);
		return ret;
	}
	journal_lines = 0;
	frr_each (journal_tree, journal_head, ent) {
		journal_format(ent, true, line, sizeof(line));
		fputs(line, fp);
		journal_lines++;
	}
	if (ferror(fp) || fflush(fp) != 0)
		ret = -EIO;
	fclose(fp);
	if (ret == 0 && rename(tmp, journal_path) < 0)
		ret = -errno;
	if (ret < 0) {
		unlink(tmp);
		return ret;
	}
	fd = open(journal_path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = fd;
	return 0;
}

static int journal_append(const struct journal_entry *ent, bool add)
{
	char line[JOURNAL_KEY_LEN + JOURNAL_VALUE_LEN + 32];
	int len = journal_format(ent, add, line, sizeof(line));
	ssize_t n;

	if (journal_fd < 0)
		return -EBADF;
	n = write(journal_fd, line, len);
	if (n == len) {
		journal_lines++;
		return 0;
	}
	return n < 0 ? -errno : -ENOSPC;
}

static void journal_read(FILE *fp)
{
	char line[512];
	unsigned int lineno = 0;

	while (fgets(line, sizeof(line), fp)) {
		struct journal_entry ent = {}, *old;
		char *end = strchr(line, '\n');
		bool add;

		lineno++;
		if (end)
			*end = '\0';
		if (!end || !tunnel_journal_parse(line, &add, &ent)) {
			zlog_warn("%s: line %u can't be read and is skipped",
				  journal_path, lineno);
			continue;
		}
		if (add) {
			journal_put(&ent);
			continue;
		}
		old = journal_tree_find(journal_head, &ent);
		if (old)
			journal_drop(old);
	}
}

int tunnel_journal_open(const char *dir)
{
	FILE *fp;

	journal_tree_init(journal_head);
	snprintf(journal_path, sizeof(journal_path), "%s/%s", dir,
		 JOURNAL_FILE);
	fp = fopen(journal_path, "r");
	if (fp) {
		journal_read(fp);
		fclose(fp);
	} else if (errno != ENOENT) {
		return -errno;
	}
	return journal_rewrite();
}

void tunnel_journal_close(void)
{
	struct journal_entry *ent;

	while ((ent = journal_tree_pop(journal_head)))
		XFREE(MTYPE_JOURNAL_ENTRY, ent);
	journal_tree_fini(journal_head);
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

struct journal_entry *tunnel_journal_find(enum journal_kind kind,
					  const char *key)
{
	struct journal_entry ref = {.kind = kind};

	strlcpy(ref.key, key, sizeof(ref.key));
	return journal_tree_find(journal_head, &ref);
}

int tunnel_journal_add(enum journal_kind kind, const char *key,
		       const char *value)
{
	struct journal_entry ref = {.kind = kind}, *ent;
	int ret;

	strlcpy(ref.key, key, sizeof(ref.key));
	strlcpy(ref.value, value, sizeof(ref.value));
	ent = journal_tree_find(journal_head, &ref);
	if (ent && strcmp(ent->value, ref.value) == 0) {
		ent->adopted = true;
		return 0;
	}
	ret = journal_append(&ref, true);
	if (ret < 0) {
		zlog_err("%s: %s", journal_path, safe_strerror(-ret));
		return ret;
	}
	ent = journal_put(&ref);
	ent->adopted = true;
	return 0;
}

void tunnel_journal_del(enum journal_kind kind, const char *key)
{
	struct journal_entry *ent = tunnel_journal_find(kind, key);
	int ret;

	if (!ent)
		return;
	ret = journal_append(ent, false);
	journal_drop(ent);
	/* dead lines are cleared away when they are most of the file */
	if (ret == 0 &&
	    journal_lines > 2 * journal_tree_count(journal_head) + 64)
		ret = journal_rewrite();
	if (ret < 0)
		zlog_err("%s: %s", journal_path, safe_strerror(-ret));
}

size_t tunnel_journal_count(void)
{
	return journal_tree_count(journal_head);
}

struct journal_entry *tunnel_journal_first(void)
{
	return journal_tree_first(journal_head);
}

struct journal_entry *tunnel_journal_next(struct journal_entry *ent)
{
	return journal_tree_next(journal_head, ent);
}

struct journal_entry *tunnel_journal_after(enum journal_kind kind,
					   const char *key)
{
	struct journal_entry ref = {.kind = kind}, *ent;

	strlcpy(ref.key, key, sizeof(ref.key));
	ent = journal_tree_find_gteq(journal_head, &ref);
	return ent && journal_cmp(ent, &ref) == 0
		       ? journal_tree_next(journal_head, ent)
		       : ent;
}
