// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For fuzzers: each is one file fuzz_NAME.c with LLVMFuzzerTestOneInput(), and
 * one directory corpus/NAME of seeds. doc/developer/building.rst tells how to
 * run and to add them.
 */
#ifndef _RELAY_FUZZ_H
#define _RELAY_FUZZ_H

#include <zebra.h>

#include <linux/netlink.h>
#include <sys/mman.h>

#include "memory.h"

#include "relay_memory.h"

#ifndef FUZZ_NB_LAB /* which has it */
DEFINE_MGROUP(RELAYD, "relayd");
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold of every input; unlike assert() it ends the process at once,
 * with a report and the input in a file. */
#define FUZZ_ASSERT(cond)                                                      \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,       \
				__LINE__, #cond);                              \
			__builtin_trap();                                      \
		}                                                              \
	} while (0)

/* Reads all octets, which is what a user of a result does. */
static inline void fuzz_read(const void *data, size_t len)
{
	const volatile uint8_t *p = data;

	while (len--)
		(void)*p++;
}

#define FUZZ_ROOM 65536

/*
 * A copy whose end is the end of the memory that can be read: libraries are not
 * instrumented, and this shows where one reads beyond. Aligned to `align`, by
 * which the length is cut. NULL: too long.
 */
static inline uint8_t *fuzz_at_the_edge(const uint8_t *data, size_t *len,
					size_t align)
{
	static uint8_t *room;

	if (!room) {
		room = mmap(NULL, FUZZ_ROOM + 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		FUZZ_ASSERT(room != MAP_FAILED);
		FUZZ_ASSERT(mprotect(room + FUZZ_ROOM, 4096, PROT_NONE) == 0);
	}
	*len -= *len % align;
	if (*len > FUZZ_ROOM)
		return NULL;
	return memcpy(room + FUZZ_ROOM - *len, data, *len);
}

/* Each netlink message of what a socket might have given, as everywhere in
 * relayd where one is read. */
static inline void fuzz_messages(const uint8_t *data, size_t size,
				 void (*each)(struct nlmsghdr *nlh))
{
	struct nlmsghdr *nlh =
		(struct nlmsghdr *)fuzz_at_the_edge(data, &size, NLMSG_ALIGNTO);
	ssize_t len = size;

	if (!nlh)
		return;
	for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len))
		each(nlh);
}

#endif /* _RELAY_FUZZ_H */
