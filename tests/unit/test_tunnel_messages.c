// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Netlink messages that are shorter than they should be: libnl reads a number
 * out of any attribute, however short. Each message ends where the memory does.
 */
#include <zebra.h>

#include <setjmp.h>
#include <cmocka.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <sys/mman.h>

#include "memory.h"

#include "relay_memory.h"
#include "tunnel_kernel.h"
#include "tunnel_tables.h"

DEFINE_MGROUP(RELAYD, "relayd");

#define ROOM 4096

static uint8_t *room, message[ROOM];
static struct nlmsghdr *nlh = (struct nlmsghdr *)message;

static int setup(void **state)
{
	room = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(room != MAP_FAILED);
	assert_int_equal(mprotect(room + ROOM, ROOM, PROT_NONE), 0);
	return 0;
}

static void begin(uint16_t type, const void *head, size_t len)
{
	memset(message, 0, sizeof(message));
	nlh->nlmsg_type = type;
	nlh->nlmsg_len = NLMSG_LENGTH(len);
	nlh->nlmsg_seq = 1;
	if (len)
		memcpy(NLMSG_DATA(nlh), head, len);
}

static void attr(uint16_t type, const void *data, size_t len)
{
	struct rtattr *rta =
		(struct rtattr *)(message + NLMSG_ALIGN(nlh->nlmsg_len));

	rta->rta_type = type;
	rta->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(rta), data, len);
	nlh->nlmsg_len = NLMSG_ALIGN(nlh->nlmsg_len) + RTA_ALIGN(rta->rta_len);
}

/* the message at the end of the room */
static struct nlmsghdr *at_the_end(void)
{
	return memcpy(room + ROOM - nlh->nlmsg_len, message, nlh->nlmsg_len);
}

static void link_with(uint16_t type, const void *data, size_t len)
{
	struct ifinfomsg ifi = {.ifi_index = 7, .ifi_flags = IFF_UP};

	tunnel_tables_init();
	begin(RTM_NEWLINK, &ifi, sizeof(ifi));
	attr(IFLA_IFNAME, "a", 2);
	attr(type, data, len);
	tunnel_tables_message(at_the_end(), NULL);
}

static void test_link(void **state)
{
	uint32_t mtu = 1400;

	link_with(IFLA_MTU, &mtu, sizeof(mtu));
	assert_int_equal(kern_link_by_name("a")->mtu, 1400);
	tunnel_tables_fini();

	link_with(IFLA_MTU, &mtu, 0);
	assert_null(kern_link_by_name("a"));
	tunnel_tables_fini();
	link_with(IFLA_OPERSTATE, NULL, 0);
	assert_null(kern_link_by_name("a"));
	tunnel_tables_fini();
	/* text need not end with a NUL, nor with anything at all */
	link_with(IFLA_IFALIAS, "frr-relay:r.", 12);
	assert_string_equal(kern_link_by_name("a")->alias, "frr-relay:r.");
	tunnel_tables_fini();
	link_with(IFLA_IFALIAS, NULL, 0);
	assert_string_equal(kern_link_by_name("a")->alias, "");
	tunnel_tables_fini();
}

/* Its parameters are not taken, the link is there. */
static void test_sit(void **state)
{
	static const int types[] = {
		SIT_ATTR_LINK,	     SIT_ATTR_LOCAL,	    SIT_ATTR_REMOTE,
		SIT_ATTR_TTL,	     SIT_ATTR_FLAGS,	    SIT_ATTR_PMTUDISC,
		SIT_ATTR_6RD_PREFIX, SIT_ATTR_6RD_PREFIXLEN};
	static const struct kern_sit none;

	for (size_t i = 0; i < array_size(types); i++) {
		const struct {
			struct rtattr kind;
			char name[4];
			struct rtattr data, in;
		} info = {{8, IFLA_INFO_KIND},
			  "sit",
			  {8, IFLA_INFO_DATA},
			  {4, types[i]}};

		link_with(IFLA_LINKINFO, &info, sizeof(info));
		assert_string_equal(kern_link_by_name("a")->kind, "sit");
		assert_memory_equal(&kern_link_by_name("a")->sit, &none,
				    sizeof(none));
		tunnel_tables_fini();
	}
}

static void test_switch(void **state)
{
	struct netconfmsg ncm = {.ncm_family = AF_INET};
	uint32_t ifindex = 1, on = 1;

	for (size_t len = 0; len <= sizeof(on); len += sizeof(on)) {
		tunnel_tables_init();
		begin(RTM_NEWNETCONF, &ncm, sizeof(ncm));
		attr(NETCONFA_IFINDEX, &ifindex, sizeof(ifindex));
		attr(NETCONFA_FORWARDING, &on, len);
		tunnel_tables_message(at_the_end(), NULL);
		assert_int_equal(kern_forwarding(AF_INET, 1), len ? 1 : -1);
		tunnel_tables_fini();
	}
}

static void test_no_head(void **state)
{
	static const uint16_t types[] = {RTM_NEWLINK,	 RTM_DELLINK,
					 RTM_NEWADDR,	 RTM_DELADDR,
					 RTM_NEWNETCONF, RTM_DELNETCONF};
	struct kern_route route = {.type = 77};

	tunnel_tables_init();
	for (size_t i = 0; i < array_size(types); i++) {
		begin(types[i], NULL, 0);
		tunnel_tables_message(at_the_end(), NULL);
	}
	tunnel_tables_fini();
	begin(RTM_NEWROUTE, NULL, 0);
	assert_false(tunnel_route_message(at_the_end()));
	kern_route_message(at_the_end(), &route);
	assert_int_equal(route.type, 77);
}

static void test_route(void **state)
{
	struct rtmsg rtm = {.rtm_family = AF_INET,
			    .rtm_table = RT_TABLE_MAIN,
			    .rtm_type = RTN_UNICAST};
	uint32_t oif = 5;

	for (size_t len = 0; len <= sizeof(oif); len += sizeof(oif)) {
		struct kern_route route = {};

		begin(RTM_NEWROUTE, &rtm, sizeof(rtm));
		attr(RTA_OIF, &oif, len);
		assert_int_equal(tunnel_route_message(at_the_end()), len > 0);
		kern_route_message(at_the_end(), &route);
		assert_int_equal(route.oif, len ? 5 : 0);
	}
}

static void test_answer(void **state)
{
	struct nlmsgerr err = {.error = -EINVAL, .msg.nlmsg_len = NLMSG_HDRLEN};
	int ret = 1;

	/* of another request */
	begin(NLMSG_ERROR, &err, sizeof(err));
	assert_false(kern_answer(at_the_end(), 2, NULL, NULL, &ret));
	assert_int_equal(ret, 1);

	attr(NLMSGERR_ATTR_MSG, "why not", 8);
	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	assert_true(kern_answer(at_the_end(), 1, NULL, NULL, &ret));
	assert_int_equal(ret, -EINVAL);
	assert_string_equal(kern_error_text(), "why not");

	/* the request, whose words come after it, is longer than the whole */
	err.msg.nlmsg_len = 1000;
	begin(NLMSG_ERROR, &err, sizeof(err));
	attr(NLMSGERR_ATTR_MSG, "why not", 8);
	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	assert_true(kern_answer(at_the_end(), 1, NULL, NULL, &ret));
	assert_string_equal(kern_error_text(), "");
	/* ... or shorter than any */
	err.msg.nlmsg_len = 0;
	begin(NLMSG_ERROR, &err, sizeof(err));
	attr(NLMSGERR_ATTR_MSG, "why not", 8);
	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	assert_true(kern_answer(at_the_end(), 1, NULL, NULL, &ret));
	assert_string_equal(kern_error_text(), "");

	begin(NLMSG_ERROR, NULL, 0);
	assert_true(kern_answer(at_the_end(), 1, NULL, NULL, &ret));
	assert_int_equal(ret, -EBADMSG);
	begin(NLMSG_DONE, NULL, 0);
	assert_true(kern_answer(at_the_end(), 1, NULL, NULL, &ret));
	assert_int_equal(ret, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),   cmocka_unit_test(test_sit),
		cmocka_unit_test(test_switch), cmocka_unit_test(test_no_head),
		cmocka_unit_test(test_route),  cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
