// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SipHash-1-3 (Aumasson and Bernstein): a hash that who does not know the key
 * can't make collisions for. Addresses are an attacker's to choose.
 */
#ifndef _RELAY_TEREDO_HASH_H
#define _RELAY_TEREDO_HASH_H

#include <zebra.h>

uint64_t teredo_hash(const uint8_t key[16], const void *data, size_t len);

#endif /* _RELAY_TEREDO_HASH_H */
