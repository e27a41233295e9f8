// SPDX-License-Identifier: GPL-2.0-or-later
/* relay NAME: the lines `tunnel`, `peers` and `filter`. */
#include <zebra.h>

#include "command.h"
#include "northbound_cli.h"

#include "relay_cli.h"
#include "relay_nb.h"
#include "relay_nodes.h"

#ifndef VTYSH_EXTRACT_PL
#include "frrd-relay/relay_cli_tunnel_clippy.c"
#endif

#define TUNNEL_STR "Tunnel of the relay\n"
#define PEERS_STR  "Teredo: clients that the relay exchanges packets with\n"
#define FILTER_STR "Which addresses are taken, both ways (RFC 3964, RFC 4380)\n"

DEFPY_YANG(relay_tunnel_mode, relay_tunnel_mode_cmd,
	"tunnel mode ipv6ip 6to4",
	TUNNEL_STR
	"What the relay is\n"
	"IPv6 in IPv4, protocol 41\n"
	"6to4 relay (RFC 3056, RFC 3068)\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/mode", "6to4");
}

DEFPY_YANG(relay_tunnel_mode_teredo, relay_tunnel_mode_teredo_cmd,
	"tunnel mode teredo",
	TUNNEL_STR
	"What the relay is\n"
	"Teredo relay, IPv6 in UDP (RFC 4380)\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/mode", "teredo");
}

DEFPY_YANG(no_relay_tunnel_mode, no_relay_tunnel_mode_cmd,
	"no tunnel mode [<ipv6ip 6to4|teredo>]",
	NO_STR
	TUNNEL_STR
	"What the relay is\n"
	"IPv6 in IPv4, protocol 41\n"
	"6to4 relay (RFC 3056, RFC 3068)\n"
	"Teredo relay, IPv6 in UDP (RFC 4380)\n")
{
	return relay_cli_unset_leaf(vty, "./tunnel/mode");
}

DEFPY_YANG(relay_tunnel_interface, relay_tunnel_interface_cmd,
	"tunnel interface IFNAME$ifname",
	TUNNEL_STR
	"Kernel interface that relayd creates and removes\n"
	"Interface name, default the relay's name\n")
{
	if (!relay_cli_ifname_ok(vty, ifname))
		return CMD_WARNING_CONFIG_FAILED;
	return relay_cli_set_leaf(vty, "./tunnel/interface", ifname);
}

DEFPY_YANG(no_relay_tunnel_interface, no_relay_tunnel_interface_cmd,
	"no tunnel interface [IFNAME]",
	NO_STR
	TUNNEL_STR
	"Kernel interface that relayd creates and removes\n"
	"Interface name, default the relay's name\n")
{
	return relay_cli_unset_leaf(vty, "./tunnel/interface");
}

DEFPY_YANG(relay_tunnel_source, relay_tunnel_source_cmd,
	"tunnel source A.B.C.D$addr",
	TUNNEL_STR
	"Receive address, and source of what is sent\n"
	"IPv4 address, 192.88.99.1 for the anycast relay of RFC 3068\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/source", addr_str);
}

DEFPY_YANG(no_relay_tunnel_source, no_relay_tunnel_source_cmd,
	"no tunnel source [A.B.C.D]",
	NO_STR
	TUNNEL_STR
	"Receive address, and source of what is sent\n"
	"IPv4 address\n")
{
	return relay_cli_unset_leaf(vty, "./tunnel/source");
}

DEFPY_YANG(relay_tunnel_transmit_source, relay_tunnel_transmit_source_cmd,
	"tunnel transmit-source A.B.C.D$addr",
	TUNNEL_STR
	"Source of 6to4 packets that the relay sends\n"
	"IPv4 address, default the tunnel source\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/transmit-source", addr_str);
}

DEFPY_YANG(no_relay_tunnel_transmit_source, no_relay_tunnel_transmit_source_cmd,
	"no tunnel transmit-source [A.B.C.D]",
	NO_STR
	TUNNEL_STR
	"Source of 6to4 packets that the relay sends\n"
	"IPv4 address\n")
{
	return relay_cli_unset_leaf(vty, "./tunnel/transmit-source");
}

DEFPY_YANG(relay_tunnel_direction, relay_tunnel_direction_cmd,
	"tunnel direction <both|receive|transmit>$direction",
	TUNNEL_STR
	"Directions that the relay serves\n"
	"Both directions (default)\n"
	"IPv4 to IPv6 only\n"
	"IPv6 to IPv4 only\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/direction", direction);
}

DEFPY_YANG(no_relay_tunnel_direction, no_relay_tunnel_direction_cmd,
	"no tunnel direction [<both|receive|transmit>]",
	NO_STR
	TUNNEL_STR
	"Directions that the relay serves\n"
	"Both directions (default)\n"
	"IPv4 to IPv6 only\n"
	"IPv6 to IPv4 only\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/direction", NULL);
}

DEFPY_YANG(relay_tunnel_datapath, relay_tunnel_datapath_cmd,
	"tunnel datapath <auto|sit|ebpf|xdp|userspace>$datapath",
	TUNNEL_STR
	"What carries the packets\n"
	"The best that this host has (default)\n"
	"6to4: the kernel's sit tunnel alone\n"
	"eBPF programs on the relay's interface and the uplinks\n"
	"As ebpf, and XDP on uplinks whose driver has native mode\n"
	"Teredo: the engine in user space alone\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/datapath", datapath);
}

DEFPY_YANG(no_relay_tunnel_datapath, no_relay_tunnel_datapath_cmd,
	"no tunnel datapath [<auto|sit|ebpf|xdp|userspace>]",
	NO_STR
	TUNNEL_STR
	"What carries the packets\n"
	"The best that this host has (default)\n"
	"6to4: the kernel's sit tunnel alone\n"
	"eBPF programs on the relay's interface and the uplinks\n"
	"As ebpf, and XDP on uplinks whose driver has native mode\n"
	"Teredo: the engine in user space alone\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/datapath", NULL);
}

DEFPY_YANG(relay_tunnel_uplink, relay_tunnel_uplink_cmd,
	"tunnel uplink IFNAME$ifname",
	TUNNEL_STR
	"Interface on whose ingress packets take the fast way; may repeat\n"
	"Interface name; all interfaces where no uplink is configured\n")
{
	if (!relay_cli_ifname_ok(vty, ifname))
		return CMD_WARNING_CONFIG_FAILED;
	return relay_cli_set_entry(vty, "./tunnel/uplink", ifname, true);
}

DEFPY_YANG(no_relay_tunnel_uplink, no_relay_tunnel_uplink_cmd,
	"no tunnel uplink IFNAME$ifname",
	NO_STR
	TUNNEL_STR
	"Interface on whose ingress packets take the fast way\n"
	"Interface name\n")
{
	return relay_cli_set_entry(vty, "./tunnel/uplink", ifname, false);
}

DEFPY_YANG(relay_tunnel_ttl, relay_tunnel_ttl_cmd,
	"tunnel ttl (1-255)$ttl",
	TUNNEL_STR
	"Time to live of the outer header\n"
	"Hops, default 64\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/ttl", ttl_str);
}

DEFPY_YANG(no_relay_tunnel_ttl, no_relay_tunnel_ttl_cmd,
	"no tunnel ttl [(1-255)]",
	NO_STR
	TUNNEL_STR
	"Time to live of the outer header\n"
	"Hops, default 64\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/ttl", NULL);
}

/* ------------------------------------------------------------------ Teredo */

DEFPY_YANG(relay_tunnel_udp_port, relay_tunnel_udp_port_cmd,
	"tunnel udp-port (1-65535)$port",
	TUNNEL_STR
	"Teredo: UDP port of the relay\n"
	"Port, default 3545\n")
{
	return relay_cli_set_mode_leaf(vty, RELAY_MODE_TEREDO,
				       "tunnel udp-port", "./tunnel/udp-port",
				       port_str);
}

DEFPY_YANG(no_relay_tunnel_udp_port, no_relay_tunnel_udp_port_cmd,
	"no tunnel udp-port [(1-65535)]",
	NO_STR
	TUNNEL_STR
	"Teredo: UDP port of the relay\n"
	"Port, default 3545\n")
{
	return relay_cli_set_leaf(vty, "./tunnel/udp-port", NULL);
}

DEFPY_YANG(relay_peers_maximum, relay_peers_maximum_cmd,
	"peers maximum (1-1048576)$max",
	PEERS_STR
	"Bound of the peer table\n"
	"Peers, default 65536\n")
{
	return relay_cli_set_mode_leaf(vty, RELAY_MODE_TEREDO, "peers maximum",
				       "./peers/maximum", max_str);
}

DEFPY_YANG(no_relay_peers_maximum, no_relay_peers_maximum_cmd,
	"no peers maximum [(1-1048576)]",
	NO_STR
	PEERS_STR
	"Bound of the peer table\n"
	"Peers, default 65536\n")
{
	return relay_cli_set_leaf(vty, "./peers/maximum", NULL);
}

DEFPY_YANG(relay_peers_overload, relay_peers_overload_cmd,
	"peers overload withdraw",
	PEERS_STR
	"When the peer table is full, or new peers come too fast\n"
	"Withdraw all routes until it is over (RFC 4380 section 7.3.5)\n")
{
	return relay_cli_set_leaf(vty, "./peers/overload-withdraw", "true");
}

DEFPY_YANG(no_relay_peers_overload, no_relay_peers_overload_cmd,
	"no peers overload [withdraw]",
	NO_STR
	PEERS_STR
	"When the peer table is full, or new peers come too fast\n"
	"Withdraw all routes until it is over (RFC 4380 section 7.3.5)\n")
{
	return relay_cli_set_leaf(vty, "./peers/overload-withdraw", "false");
}

/* ----------------------------------------------------------------- filters */

DEFPY_YANG(relay_filter_bogons, relay_filter_bogons_cmd,
	"[no] filter bogons",
	NO_STR
	FILTER_STR
	"Drop packets with addresses that can't be valid, on by default\n")
{
	return relay_cli_set_leaf(vty, "./filter/bogons", no ? "false" : "true");
}

/* Host bits are masked, so that the same prefix is the same entry. */
static int edit_prefix(struct vty *vty, const char *xpath, bool no,
		       union prefixconstptr prefix)
{
	char value[PREFIX_STRLEN];
	struct prefix p;

	prefix_copy(&p, prefix);
	apply_mask(&p);
	prefix2str(&p, value, sizeof(value));
	return relay_cli_set_entry(vty, xpath, value, !no);
}

DEFPY_YANG(relay_filter_permit, relay_filter_permit_cmd,
	"[no] filter permit A.B.C.D/M$prefix",
	NO_STR
	FILTER_STR
	"No bogon here, also as 6to4 address; the longest prefix decides\n"
	"IPv4 prefix\n")
{
	return edit_prefix(vty, "./filter/permit", no, prefix);
}

DEFPY_YANG(relay_filter_deny, relay_filter_deny_cmd,
	"[no] filter deny <A.B.C.D/M|X:X::X:X/M>$prefix",
	NO_STR
	FILTER_STR
	"Drop packets from or to a prefix; the longest prefix decides\n"
	"IPv4 prefix, also as 6to4 address\n"
	"IPv6 prefix\n")
{
	return edit_prefix(vty, "./filter/deny", no, prefix);
}

void relay_cli_tunnel_init(void)
{
	install_element(RELAY_NODE, &relay_tunnel_mode_cmd);
	install_element(RELAY_NODE, &relay_tunnel_mode_teredo_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_mode_cmd);
	install_element(RELAY_NODE, &relay_tunnel_interface_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_interface_cmd);
	install_element(RELAY_NODE, &relay_tunnel_source_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_source_cmd);
	install_element(RELAY_NODE, &relay_tunnel_transmit_source_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_transmit_source_cmd);
	install_element(RELAY_NODE, &relay_tunnel_direction_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_direction_cmd);
	install_element(RELAY_NODE, &relay_tunnel_datapath_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_datapath_cmd);
	install_element(RELAY_NODE, &relay_tunnel_uplink_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_uplink_cmd);
	install_element(RELAY_NODE, &relay_tunnel_ttl_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_ttl_cmd);

	install_element(RELAY_NODE, &relay_tunnel_udp_port_cmd);
	install_element(RELAY_NODE, &no_relay_tunnel_udp_port_cmd);
	install_element(RELAY_NODE, &relay_peers_maximum_cmd);
	install_element(RELAY_NODE, &no_relay_peers_maximum_cmd);
	install_element(RELAY_NODE, &relay_peers_overload_cmd);
	install_element(RELAY_NODE, &no_relay_peers_overload_cmd);

	install_element(RELAY_NODE, &relay_filter_bogons_cmd);
	install_element(RELAY_NODE, &relay_filter_permit_cmd);
	install_element(RELAY_NODE, &relay_filter_deny_cmd);
}
