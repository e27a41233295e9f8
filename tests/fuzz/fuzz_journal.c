// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relayd.state: what a former run has left on file, perhaps torn, perhaps
 * changed by hand. Whatever is in it, it is read, written anew, and read again
 * the same; and a planned restart or a relay of it is taken for what it says.
 */
#include "fuzz.h"

#include <fcntl.h>

#include "monotime.h"

#include "compat.h"
#include "relay.h"
#include "relay_history.h"
#include "relay_restart.h"
#include "tunnel_journal.h"

#define FILE_NAME "relayd.state"

static char dir[] = "/dev/shm/fuzz-journal.XXXXXX", file[64];
static struct frr_loop *loop;

static void clean_up(void)
{
	unlink(file);
	rmdir(dir);
}

static void set_up(void)
{
	if (loop)
		return;
	loop = event_master_create("fuzz");
	FUZZ_ASSERT(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/" FILE_NAME, dir);
	atexit(clean_up);
}

static void write_file(const uint8_t *data, size_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	FUZZ_ASSERT(fd >= 0);
	FUZZ_ASSERT(write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* All entries as text, in their order. */
static char *entries(void)
{
	struct journal_entry *ent = tunnel_journal_first();
	char *text = NULL;
	size_t len = 0;
	FILE *fp = open_memstream(&text, &len);

	for (; ent; ent = tunnel_journal_next(ent)) {
		FUZZ_ASSERT(ent->kind < JOURNAL_KINDS);
		FUZZ_ASSERT(ent->key[0] && !strpbrk(ent->key, " \n"));
		FUZZ_ASSERT(tunnel_journal_find(ent->kind, ent->key) == ent);
		FUZZ_ASSERT(!ent->adopted);
		FUZZ_ASSERT(ent->kind != JOURNAL_SYSCTL ||
			    !strstr(ent->key, "/../"));
		fprintf(fp, "%u %s %s\n", ent->kind, ent->key, ent->value);
	}
	fclose(fp);
	return text;
}

/* A planned restart, and a relay "r", as relayd takes them from the file. */
static void take_up(void)
{
	struct tunnel tun = {};
	struct relay relay = {.tun = &tun};

	relay_config_defaults(&relay.cfg);
	strlcpy(relay.cfg.name, "r", sizeof(relay.cfg.name));
	relay_restart_init(loop);
	relay_restart_adopt(&relay);
	FUZZ_ASSERT(relay.oper <= RELAY_OPER_LAST);
	relay_restart_fini();
	relay_history_free(&relay.history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first, *again;

	set_up();
	write_file(data, size);
	FUZZ_ASSERT(tunnel_journal_open(dir) == 0);
	first = entries();
	tunnel_journal_close();

	FUZZ_ASSERT(tunnel_journal_open(dir) == 0);
	again = entries();
	FUZZ_ASSERT(strcmp(first, again) == 0);
	free(first);
	free(again);
	take_up();
	tunnel_journal_close();
	return 0;
}
