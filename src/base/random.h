/*
 * base/random.h - unpredictable bytes, for ids, entropy and hash seeds.
 *
 * On any thread, and on both sides of a fork().
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills p from the kernel's CSPRNG. Cannot fail once the system has booted; aborts if it does,
 * since going on with predictable ids would be worse. */
void random_bytes(void *p, size_t n);
uint32_t random_u32(void);
uint64_t random_u64(void);

#endif
