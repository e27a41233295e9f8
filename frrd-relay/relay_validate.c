// SPDX-License-Identifier: GPL-2.0-or-later
#include <zebra.h>

#include <stdarg.h>

#include "printfrr.h"

#include "relay_validate.h"
#include "track_bfd.h"
#include "track_list.h"

PRINTFRR(3, 4)
static bool refuse(char *err, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintfrr(err, len, fmt, ap);
	va_end(ap);
	return false;
}

bool relay_validate_name(const char *name, char *err, size_t len)
{
	static const char *const keywords[] = {"counters", "history", "peers",
					       "json"};

	for (size_t i = 0; i < array_size(keywords); i++)
		if (!strcmp(name, keywords[i]))
			return refuse(err, len,
				      "relay name %s is a keyword of show relay",
				      name);
	if (!name[0] || strlen(name) > RELAY_NAME_MAX)
		return refuse(err, len,
			      "relay name %s is not 1 to %d characters long",
			      name, RELAY_NAME_MAX);
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return refuse(err, len,
				      "relay name %s has a character that is not one of A-Za-z0-9._-",
				      name);
	/* the kernel refuses them as interface names */
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return refuse(err, len, "relay name %s is not a name", name);
	return true;
}

bool relay_validate_ifname(const char *ifname, char *err, size_t len)
{
	if (!ifname[0] || strlen(ifname) >= IFNAMSIZ ||
	    strpbrk(ifname, "/:% \t\n") ||
	    /* what nftables can't name */
	    strpbrk(ifname, "\"*\\") || !strcmp(ifname, ".") ||
	    !strcmp(ifname, ".."))
		return refuse(err, len, "%s is not an interface name", ifname);
	return true;
}

/* ----------------------------------------------------------------- tracks */

static bool track_exists(const struct relay_validate_tracks *tracks,
			 uint16_t id)
{
	static struct track_config cfg;

	return tracks->get(tracks->arg, id, &cfg);
}

static size_t members_of(uint16_t id, const struct track_member **members,
			 void *arg)
{
	static struct track_config cfg;
	const struct relay_validate_tracks *tracks = arg;

	if (!tracks->get(tracks->arg, id, &cfg) || cfg.type != TRACK_LIST)
		return 0;
	*members = cfg.members;
	return cfg.nmembers;
}

static bool unicast(const struct ipaddr *addr)
{
	return IS_IPADDR_V4(addr)
		       ? addr->ipaddr_v4.s_addr != INADDR_ANY &&
				 ipv4_unicast_valid(&addr->ipaddr_v4)
		       : !IN6_IS_ADDR_MULTICAST(&addr->ipaddr_v6) &&
				 !IN6_IS_ADDR_UNSPECIFIED(&addr->ipaddr_v6);
}

static bool link_local(const struct ipaddr *addr)
{
	return IS_IPADDR_V6(addr) && IN6_IS_ADDR_LINKLOCAL(&addr->ipaddr_v6);
}

static bool validate_echo(const struct track_config *trk, char *err, size_t len)
{
	if (IS_IPADDR_NONE(&trk->target))
		return refuse(err, len, "track %u: icmp-echo needs an address",
			      trk->id);
	if (!IS_IPADDR_NONE(&trk->source) &&
	    trk->source.ipa_type != trk->target.ipa_type)
		return refuse(err, len,
			      "track %u: source-address %pIA and target %pIA are of different families",
			      trk->id, &trk->source, &trk->target);
	if (!unicast(&trk->target))
		return refuse(err, len,
			      "track %u: target %pIA is not a unicast address",
			      trk->id, &trk->target);
	if (link_local(&trk->target) && !trk->source_ifname[0])
		return refuse(err, len,
			      "track %u: link-local target %pIA needs a source-interface",
			      trk->id, &trk->target);
	return true;
}

/* What bfdd, which is asked over zebra, would drop without a word. */
static bool validate_bfd(const struct track_config *trk, char *err, size_t len)
{
	if (IS_IPADDR_NONE(&trk->target))
		return refuse(err, len, "track %u: bfd needs a peer", trk->id);
	if (!unicast(&trk->target))
		return refuse(err, len,
			      "track %u: peer %pIA is not a unicast address",
			      trk->id, &trk->target);
	if (!IS_IPADDR_NONE(&trk->source)) {
		if (trk->source.ipa_type != trk->target.ipa_type)
			return refuse(err, len,
				      "track %u: local-address %pIA and peer %pIA are of different families",
				      trk->id, &trk->source, &trk->target);
		if (!unicast(&trk->source))
			return refuse(err, len,
				      "track %u: local-address %pIA is not a unicast address",
				      trk->id, &trk->source);
		if (!ipaddr_cmp(&trk->source, &trk->target))
			return refuse(err, len,
				      "track %u: peer and local-address are both %pIA",
				      trk->id, &trk->target);
	}
	if (trk->multihop) {
		if (link_local(&trk->target))
			return refuse(err, len,
				      "track %u: link-local peer %pIA can't be multihop",
				      trk->id, &trk->target);
		if (trk->ifname[0])
			return refuse(err, len,
				      "track %u: multihop takes no interface",
				      trk->id);
		if (IS_IPADDR_NONE(&trk->source))
			return refuse(err, len,
				      "track %u: multihop needs a local-address",
				      trk->id);
	} else if (link_local(&trk->target) && !trk->ifname[0]) {
		return refuse(err, len,
			      "track %u: link-local peer %pIA needs an interface",
			      trk->id, &trk->target);
	}
	return true;
}

bool relay_validate_bfd_pair(const struct track_config *trk,
			     const struct track_config *other, char *err,
			     size_t len)
{
	struct relay_bfd_key a, b;

	if (!trk->profile[0] || !other->profile[0] ||
	    !strcmp(trk->profile, other->profile))
		return true;
	a = track_bfd_key(trk);
	b = track_bfd_key(other);
	if (!relay_bfd_key_same(&a, &b))
		return true;
	return refuse(err, len,
		      "track %u follows the same BFD session with profile %s",
		      other->id, other->profile);
}

bool relay_validate_track(const struct track_config *trk,
			  const struct relay_validate_tracks *tracks, char *err,
			  size_t len)
{
	switch (trk->type) {
	case TRACK_INTERFACE:
		if (!trk->ifname[0])
			return refuse(err, len,
				      "track %u: interface needs a name",
				      trk->id);
		return true;
	case TRACK_IP_ROUTE:
	case TRACK_IPV6_ROUTE:
		if (trk->prefix.family !=
		    (trk->type == TRACK_IP_ROUTE ? AF_INET : AF_INET6))
			return refuse(err, len,
				      "track %u: prefix is of the wrong family",
				      trk->id);
		return true;
	case TRACK_ICMP_ECHO:
		return validate_echo(trk, err, len);
	case TRACK_BFD:
		return validate_bfd(trk, err, len);
	case TRACK_LIST:
		break;
	}

	for (size_t i = 0; i < trk->nmembers; i++)
		if (!track_exists(tracks, trk->members[i].id))
			return refuse(err, len,
				      "track object %u does not exist",
				      trk->members[i].id);
	if (track_list_has_cycle(trk->id, trk->members, trk->nmembers,
				 members_of, (void *)tracks))
		return refuse(err, len, "track %u would be a member of itself",
			      trk->id);
	return true;
}

/* ----------------------------------------------------------------- relays */

/* RFC 3964 section 5.3.1 lists more that is bad on the wire; private addresses
 * are left to the operator of a closed network. */
static bool source_ok(struct in_addr addr)
{
	uint32_t host = ntohl(addr.s_addr);

	return (host >> 24) != 0 && (host >> 24) != 127 && host < 0xe0000000U;
}

static bool route_prefix_ok(const struct prefix *p)
{
	if (p->family == AF_INET)
		return p->prefixlen && source_ok(p->u.prefix4);
	return p->prefixlen && !IN6_IS_ADDR_MULTICAST(&p->u.prefix6) &&
	       !IN6_IS_ADDR_LINKLOCAL(&p->u.prefix6) &&
	       !IN6_IS_ADDR_LOOPBACK(&p->u.prefix6) &&
	       !IN6_IS_ADDR_UNSPECIFIED(&p->u.prefix6) &&
	       !IN6_IS_ADDR_V4MAPPED(&p->u.prefix6);
}

static bool prefixes_overlap(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family &&
	       (prefix_match(a, b) || prefix_match(b, a));
}

static bool validate_routes(const struct relay_config *relay,
			    const struct relay_validate_tracks *tracks,
			    char *err, size_t len)
{
	const struct relay_route_config *route;

	for (size_t i = 0; i < relay->nroutes; i++) {
		route = &relay->routes[i];
		if (!route_prefix_ok(&route->prefix))
			return refuse(err, len,
				      "route %pFX can't be routed to a relay",
				      &route->prefix);
		if (route->track && !track_exists(tracks, route->track))
			return refuse(err, len,
				      "track object %u does not exist",
				      route->track);
		for (size_t j = 0; j < i; j++)
			if (prefixes_overlap(&route->prefix,
					     &relay->routes[j].prefix))
				return refuse(err, len,
					      "route %pFX overlaps route %pFX of the same relay",
					      &route->prefix,
					      &relay->routes[j].prefix);
	}
	return true;
}

/*
 * An address whose prefix covers a route makes it a connected one, which zebra
 * prefers and keeps whatever the health is.
 */
static bool validate_address(const struct relay_config *relay,
			     const struct prefix_ipv6 *addr, char *err,
			     size_t len)
{
	struct relay_route_config routes[RELAY_ROUTES_MAX];
	size_t n = relay_config_routes(relay, routes);
	struct prefix net;

	if (IN6_IS_ADDR_MULTICAST(&addr->prefix) ||
	    IN6_IS_ADDR_LOOPBACK(&addr->prefix) ||
	    IN6_IS_ADDR_UNSPECIFIED(&addr->prefix) ||
	    IN6_IS_ADDR_V4MAPPED(&addr->prefix))
		return refuse(err, len,
			      "ipv6 address %pFX is not a unicast address",
			      addr);
	prefix_copy(&net, addr);
	apply_mask(&net);
	for (size_t i = 0; i < n; i++)
		if (routes[i].prefix.family == AF_INET6 &&
		    prefix_match(&net, &routes[i].prefix))
			return refuse(err, len,
				      "ipv6 address %pFX would make %pFX a connected route",
				      addr, &routes[i].prefix);
	return true;
}

bool relay_validate_line(const char *name, enum relay_mode mode,
			 enum relay_mode needed, const char *line, char *err,
			 size_t len)
{
	if (mode == RELAY_MODE_NONE || mode == needed)
		return true;
	return refuse(err, len, "%s is for tunnel mode %s, relay %s is %s",
		      line, relay_mode_str(needed), name, relay_mode_str(mode));
}

/* What differs from the default and has no meaning in the relay's mode. */
static bool validate_mode(const struct relay_config *relay, char *err,
			  size_t len)
{
	const struct {
		bool there;
		enum relay_mode mode;
		const char *line;
	} lines[] = {
		{relay->has_transmit_source, RELAY_MODE_6TO4,
		 "tunnel transmit-source"},
		{relay->datapath == TUNNEL_DATAPATH_SIT, RELAY_MODE_6TO4,
		 "tunnel datapath sit"},
		{relay->datapath == TUNNEL_DATAPATH_USERSPACE,
		 RELAY_MODE_TEREDO, "tunnel datapath userspace"},
		{relay->udp_port != RELAY_UDP_PORT_DEFAULT, RELAY_MODE_TEREDO,
		 "tunnel udp-port"},
		{relay->peers_max != RELAY_PEERS_DEFAULT, RELAY_MODE_TEREDO,
		 "peers maximum"},
		{relay->overload_withdraw, RELAY_MODE_TEREDO,
		 "peers overload withdraw"},
	};

	for (size_t i = 0; i < array_size(lines); i++)
		if (lines[i].there &&
		    !relay_validate_line(relay->name, relay->mode,
					 lines[i].mode, lines[i].line, err,
					 len))
			return false;
	/* RFC 4380 section 5.1.2 */
	if (relay->mode == RELAY_MODE_TEREDO && relay->mtu != RELAY_MTU_DEFAULT)
		return refuse(err, len,
			      "ipv6 mtu %u is not Teredo's, which is %u",
			      relay->mtu, RELAY_MTU_DEFAULT);
	return true;
}

static bool validate_uplinks(const struct relay_config *relay, char *err,
			     size_t len)
{
	if (relay->too_many_uplinks)
		return refuse(err, len, "a relay has %d tunnel uplinks at most",
			      RELAY_UPLINKS_MAX);
	for (size_t i = 0; i < relay->nuplinks; i++) {
		if (!relay_validate_ifname(relay->uplinks[i], err, len))
			return false;
		if (!strcmp(relay->uplinks[i], relay_config_ifname(relay)))
			return refuse(err, len,
				      "tunnel uplink %s is the relay's own interface",
				      relay->uplinks[i]);
	}
	return true;
}

static bool validate_filters(const struct relay_config *relay, char *err,
			     size_t len)
{
	const struct filter_rule *rules = relay->filters;

	if (relay->too_many_permits || relay->too_many_denies)
		return refuse(err, len, "a relay has %d filter %s lines at most",
			      RELAY_FILTERS_MAX,
			      relay->too_many_permits ? "permit" : "deny");
	for (size_t i = 0; i < relay->nfilters; i++)
		for (size_t j = 0; j < i; j++)
			if (rules[i].verdict != rules[j].verdict &&
			    prefix_same(&rules[i].p, &rules[j].p))
				return refuse(err, len,
					      "filter %pFX is both permitted and denied",
					      &rules[i].p);
	return true;
}

static bool validate_alone(const struct relay_config *relay,
			   const struct relay_validate_tracks *tracks,
			   char *err, size_t len)
{
	if (!relay_validate_name(relay->name, err, len))
		return false;
	if (relay->ifname[0] && !relay_validate_ifname(relay->ifname, err, len))
		return false;
	if (relay->has_source && !source_ok(relay->source))
		return refuse(err, len,
			      "tunnel source %pI4 is not a unicast address",
			      &relay->source);
	if (relay->has_transmit_source && !source_ok(relay->transmit_source))
		return refuse(err, len,
			      "tunnel transmit-source %pI4 is not a unicast address",
			      &relay->transmit_source);
	for (size_t i = 0; i < relay->naddrs; i++)
		if (!validate_address(relay, &relay->addrs[i], err, len))
			return false;
	if (relay->track && !track_exists(tracks, relay->track))
		return refuse(err, len, "track object %u does not exist",
			      relay->track);
	if (!validate_routes(relay, tracks, err, len))
		return false;
	if (!relay_dampening_valid(&relay->dampening, err, len))
		return false;
	if (!validate_mode(relay, err, len))
		return false;
	if (!validate_uplinks(relay, err, len))
		return false;
	if (!validate_filters(relay, err, len))
		return false;
	if (relay->enabled && relay->mode == RELAY_MODE_NONE)
		return refuse(err, len, "relay %s needs a tunnel mode first",
			      relay->name);
	if (relay->enabled && !relay->has_source)
		return refuse(err, len, "relay %s needs a tunnel source first",
			      relay->name);
	return true;
}

/*
 * Routes that collide. The mode's default routes count once the relay is
 * enabled: until then an operator may still replace them.
 */
static size_t routes_claimed(const struct relay_config *relay,
			     struct relay_route_config *out)
{
	if (!relay->nroutes && !relay->enabled)
		return 0;
	return relay_config_routes(relay, out);
}

static bool validate_pair(const struct relay_config *relay,
			  const struct relay_config *other, char *err,
			  size_t len)
{
	struct relay_route_config a[RELAY_ROUTES_MAX], b[RELAY_ROUTES_MAX];
	size_t na, nb;

	if (!strcmp(relay_config_ifname(relay), relay_config_ifname(other)))
		return refuse(err, len,
			      "tunnel interface %s is used by relay %s",
			      relay_config_ifname(relay), other->name);
	if (relay->enabled && other->enabled && relay->has_source &&
	    other->has_source && relay_config_same_service(relay, other)) {
		if (relay->mode == RELAY_MODE_TEREDO)
			return refuse(err, len,
				      "tunnel source %pI4 with udp-port %u is used by relay %s",
				      &relay->source, relay->udp_port,
				      other->name);
		return refuse(err, len, "tunnel source %pI4 is used by relay %s",
			      &relay->source, other->name);
	}

	na = routes_claimed(relay, a);
	nb = na ? routes_claimed(other, b) : 0;
	for (size_t i = 0; i < na; i++)
		for (size_t j = 0; j < nb; j++)
			if (prefixes_overlap(&a[i].prefix, &b[j].prefix))
				return refuse(err, len,
					      "route %pFX overlaps route %pFX of relay %s",
					      &a[i].prefix, &b[j].prefix,
					      other->name);
	return true;
}

bool relay_validate_relay(const struct relay_config *relay,
			  const struct relay_config *others, size_t nothers,
			  const struct relay_validate_tracks *tracks, char *err,
			  size_t len)
{
	if (!validate_alone(relay, tracks, err, len))
		return false;
	for (size_t i = 0; i < nothers; i++)
		if (strcmp(others[i].name, relay->name) &&
		    !validate_pair(relay, &others[i], err, len))
			return false;
	return true;
}
