/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before relayd's sources when relay_commands.py has them preprocessed:
 * what defines a command is to come out as it was written.
 */
#include <zebra.h>

#include "command.h"

#undef DEFUN
#undef DEFUN_HIDDEN
#undef DEFUN_NOSH
#undef DEFUN_YANG
#undef DEFUN_YANG_HIDDEN
#undef DEFUN_YANG_NOSH
#undef DEFPY
#undef DEFPY_HIDDEN
#undef DEFPY_NOSH
#undef DEFPY_YANG
#undef DEFPY_YANG_HIDDEN
#undef DEFPY_YANG_NOSH
#undef ALIAS
#undef ALIAS_HIDDEN
#undef ALIAS_YANG
#undef install_element
