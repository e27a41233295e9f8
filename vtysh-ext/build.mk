# SPDX-License-Identifier: GPL-2.0-or-later
#
# vtysh with relayd's commands; build-vtysh calls this in its work directory.
# env.mk is rewritten only when something in it changes.

include env.mk

PYTHON = /usr/bin/python3
LIBFRR = $(FRR_LIBDIR)/libfrr.so.0

# our copies of vtysh's sources come before the tree's
INCLUDES = -I$(TREE)/lib/assert -I. -I$(TREE) -I$(TREE)/include -I$(TREE)/lib -I$(EXT) -I$(SRC)
COMPILE = $(FRR_CC) -std=gnu11 $(FRR_DEFS) $(INCLUDES) $(HARDEN_CPPFLAGS) \
	-DHAVE_CONFIG_H $(FRR_LIBYANG_CFLAGS) $(FRR_WARN) $(HARDEN_CFLAGS) \
	-ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(SRC)=. \
	-ffile-prefix-map=$(TREE)=. -MMD -MP
# extract.pl's own way of preprocessing, with relayd's headers added; command.h's
# macros are taken away again, which FRR 10 does not do by itself
PREPROCESS = $(FRR_CC) -E -P -std=gnu11 -DHAVE_CONFIG_H -DVTYSH_EXTRACT_PL \
	-include $(EXT)/keep_macros.h \
	-I$(TREE)/lib/assert -I$(TREE) -I$(TREE)/include -I$(TREE)/lib -I$(SRC) \
	-I$(SRC)/frrd-relay $(HARDEN_CPPFLAGS) $(FRR_LIBYANG_CFLAGS) $(RELAY_CPPFLAGS)

GRAFTED = vtysh/vtysh.c vtysh/vtysh_main.c vtysh/vtysh_config.c \
	vtysh/vtysh_user.c vtysh/vtysh.h vtysh/vtysh_user.h
# FRR's commands; since 10 in several files, as FRR splits them
CMD_SPLIT =
ifeq ($(wildcard $(TREE)/vtysh/extract.pl),)
CMD_SPLIT = $(patsubst %,cmds/vtysh_cmd.%.c,1 2 3 4 5 6 7 8)
endif
CMD_SOURCES = cmds/vtysh_cmd.c $(CMD_SPLIT)
STOCK_OBJS = vtysh/vtysh.o vtysh/vtysh_main.o vtysh/vtysh_config.o \
	vtysh/vtysh_user.o $(CMD_SOURCES:.c=.o)
RELAY_OBJS = vtysh_relay.o vtysh_relay_cmd.o

all: vtysh-relay
.PHONY: all FORCE
.DELETE_ON_ERROR:
.SECONDARY:
FORCE:

vtysh-relay: $(STOCK_OBJS) $(RELAY_OBJS) $(LIBFRR)
	$(FRR_CC) $(HARDEN_CFLAGS) $(HARDEN_LDFLAGS) -rdynamic -pie -o $@ \
		$(STOCK_OBJS) $(RELAY_OBJS) $(LIBFRR) -Wl,-rpath,$(FRR_LIBDIR) \
		-Wl,--enable-new-dtags -Wl,--as-needed $(FRR_LIBS)

# FRR's part: depends on the tree and on graft.py, not on relayd
graft.stamp: env.mk $(EXT)/graft.py $(wildcard $(TREE)/vtysh/*.c $(TREE)/vtysh/*.h)
	rm -rf vtysh && mkdir vtysh
	$(PYTHON) $(EXT)/graft.py $(TREE)/vtysh vtysh
	touch $@
$(GRAFTED): graft.stamp ;

# in lib/ since FRR 10
vtysh/vtysh_daemons.h: graft.stamp $(TREE)/vtysh/daemons.pl
	$(FRR_PERL) $(TREE)/vtysh/daemons.pl $(FRR_DAEMONS) relayd >$@
	mkdir -p lib && cp $@ lib/
vtysh/vtysh_clippy.c: graft.stamp $(TREE)/python/clidef.py
	cd $(TREE) && PYTHONDONTWRITEBYTECODE=1 lib/clippy python/clidef.py \
		-o $(CURDIR)/$@ $(CURDIR)/vtysh/vtysh.c
ifeq ($(CMD_SPLIT),)
cmds.stamp: env.mk $(TREE)/vtysh/extract.pl $(addprefix $(TREE)/,$(FRR_SCAN))
	rm -rf cmds && mkdir cmds
	cd $(TREE) && $(FRR_PERL) vtysh/extract.pl $(FRR_SCAN) $(FRR_SCAN_FLAGS) \
		>$(CURDIR)/cmds/vtysh_cmd.c
	touch $@
else
# xrelfo.py reads them out of the binaries, and which daemon a command is of out of
# paths: a binary's, as if it lay where FRR's build has it, and a source's, relative to
# the directory that FRR was built in (Debian: one below the tree's)
cmds.stamp: env.mk binaries $(TREE)/python/xrelfo.py $(shell cut -d' ' -f2 binaries)
	rm -rf cmds elf && mkdir -p cmds elf/build
	cp -r $(TREE)/python elf && ln -s $(TREE)/lib elf
	while read -r name file; do \
		mkdir -p elf/build/$${name%/*} && ln -s $$file elf/build/$$name && echo $$name || exit; \
	done <binaries >elf/names
	if grep -qF ../lib/vty.c $(LIBFRR); then cd elf/build; else mv elf/build/* elf && cd elf; fi && \
	PYTHONDONTWRITEBYTECODE=1 $(TREE)/lib/clippy $(CURDIR)/elf/python/xrelfo.py \
		-o $(CURDIR)/frr.xref -c $(addprefix $(CURDIR)/,$(CMD_SOURCES)) -- $$(cat $(CURDIR)/elf/names)
	touch $@
endif
$(CMD_SOURCES): cmds.stamp ;

cmds/%.o: cmds/%.c graft.stamp env.mk
	$(COMPILE) -c -o $@ $<
vtysh/%.o: vtysh/%.c graft.stamp vtysh/vtysh_daemons.h vtysh/vtysh_clippy.c env.mk
	$(COMPILE) -c -o $@ $<

# relayd's part
vtysh_relay_cmd.new: FORCE
	$(PYTHON) $(EXT)/relay_commands.py -o vtysh_relay_cmd.c -d $(SRC)/frrd-relay -- $(PREPROCESS)
vtysh_relay_cmd.c: vtysh_relay_cmd.new ;
vtysh_relay_cmd.o: vtysh_relay_cmd.c graft.stamp env.mk
	$(COMPILE) -Werror -c -o $@ $<
vtysh_relay.o: $(EXT)/vtysh_relay.c graft.stamp env.mk
	$(COMPILE) -Werror -c -o $@ $<

-include $(wildcard *.d vtysh/*.d cmds/*.d)
