// SPDX-License-Identifier: GPL-2.0-or-later
/* The ring of a relay's last 64 changes. */
#include <zebra.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "relay_history.h"
#include "relay_memory.h"

DEFINE_MGROUP(RELAYD, "relayd");

static void add(struct relay_history *hist, unsigned int n)
{
	char detail[16];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(detail, sizeof(detail), "%u", hist->total + 1);
		relay_history_add(hist, 1000 + hist->total, RELAY_OPER_DOWN,
				  RELAY_OPER_UP, RELAY_REASON_OK, detail);
	}
}

static void test_empty(void **state)
{
	struct relay_history hist = {};

	assert_int_equal(relay_history_count(&hist), 0);
	assert_null(relay_history_get(&hist, 0));
	relay_history_free(&hist);
}

static void test_order_and_bound(void **state)
{
	static const struct {
		unsigned int changes;
		size_t kept;
		uint32_t oldest;
	} cases[] = {{1, 1, 1},	  {2, 2, 1},	{63, 63, 1},  {64, 64, 1},
		     {65, 64, 2}, {128, 64, 65}, {200, 64, 137}};

	for (size_t c = 0; c < array_size(cases); c++) {
		struct relay_history hist = {};
		const struct relay_history_entry *entry;
		char detail[16];

		add(&hist, cases[c].changes);
		assert_int_equal(relay_history_count(&hist), cases[c].kept);
		for (size_t i = 0; i < cases[c].kept; i++) {
			entry = relay_history_get(&hist, i);
			assert_non_null(entry);
			assert_int_equal(entry->index, cases[c].oldest + i);
			assert_int_equal(entry->time, 999 + entry->index);
			snprintf(detail, sizeof(detail), "%u", entry->index);
			assert_string_equal(entry->detail, detail);
		}
		assert_null(relay_history_get(&hist, cases[c].kept));
		relay_history_free(&hist);
		assert_int_equal(relay_history_count(&hist), 0);
	}
}

static void test_entry(void **state)
{
	struct relay_history hist = {};
	const struct relay_history_entry *entry;

	relay_history_add(&hist, 42, RELAY_OPER_UP, RELAY_OPER_DOWN,
			  RELAY_REASON_TRACK_DOWN, NULL);
	entry = relay_history_get(&hist, 0);
	assert_int_equal(entry->from, RELAY_OPER_UP);
	assert_int_equal(entry->to, RELAY_OPER_DOWN);
	assert_int_equal(entry->reason, RELAY_REASON_TRACK_DOWN);
	assert_string_equal(entry->detail, "");
	relay_history_free(&hist);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order_and_bound),
		cmocka_unit_test(test_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
