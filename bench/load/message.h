/*
 * bench/load/message.h - what is sent, so that what comes back can be told apart.
 *
 * A message says who sent it and how many he had sent before, in hexadecimal digits, and
 * is filled with letters that depend on that. Nothing in it needs an escape anywhere.
 */
#ifndef LOAD_MESSAGE_H
#define LOAD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_MIN = 16, MESSAGE_MAX = 65536 };

void message_init(void);
void message_write(char *out, size_t size, uint32_t sender, uint64_t number);
bool message_is(const char *data, size_t len, size_t size, uint32_t sender, uint64_t number);

#endif
