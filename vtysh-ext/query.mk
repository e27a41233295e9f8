# SPDX-License-Identifier: GPL-2.0-or-later
#
# Read after FRR's own Makefile: writes down, as make variables, what vtysh's
# build has to know of it. Before FRR 10 commands are scanned for in sources,
# later in binaries.

frr-relay-query:
	@echo 'FRR_CC = $(CC)'
	@echo 'FRR_PERL = $(PERL)'
	@echo 'FRR_LIBDIR = $(libdir)'
	@echo 'FRR_DEFS = -DHAVE_CONFIG_H -DSYSCONFDIR=\"$(sysconfdir)/\" -DCONFDATE=0'
	@echo 'FRR_CPPFLAGS = $(CPPFLAGS)'
	@echo 'FRR_CFLAGS = $(CFLAGS)'
	@echo 'FRR_LDFLAGS = $(LDFLAGS)'
	@echo 'FRR_WARN = $(AC_CFLAGS)'
	@echo 'FRR_LIBYANG_CFLAGS = $(LIBYANG_CFLAGS)'
	@echo 'FRR_LIBS = $(LIBCAP) $(LIBREADLINE) $(LIBS) $(LIBPAM)'
	@echo 'FRR_DAEMONS = $(strip $(vtysh_daemons))'
	@echo 'FRR_SCAN = $(strip $(vtysh_scan))'
	@echo 'FRR_BINARIES = $(strip $(sbin_PROGRAMS) $(lib_LTLIBRARIES) $(module_LTLIBRARIES))'
	@echo 'FRR_SBINDIR = $(sbindir)'
	@echo 'FRR_SCAN_FLAGS = $(HAVE_ISISD) $(HAVE_FABRICD)'
.PHONY: frr-relay-query
