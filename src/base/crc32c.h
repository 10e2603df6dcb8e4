/*
 * base/crc32c.h - CRC-32C (Castagnoli), by the processor's instruction where it has one.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, the checksum of what stands before (0: nothing), over n octets. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* For tests: the same without the instruction. */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n);

#endif
