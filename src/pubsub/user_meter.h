/*
 * pubsub/user_meter.h - how much a user may send, with all its sessions together, wherever these
 * are.
 *
 * Who sends more is read more slowly: nothing is lost. A lock is taken when a session begins and
 * ends; a message costs an atomic operation for each limit there is.
 */
#ifndef PUBSUB_USER_METER_H
#define PUBSUB_USER_METER_H

#include <stdint.h>

#include "base/bytes.h"

struct user_meters;
struct user_meter;

/* 0: no limit. NULL when memory is out. */
struct user_meters *user_meters_new(uint64_t messages_per_second, uint64_t bytes_per_second);
/* All must have been closed. NULL is fine. */
void user_meters_free(struct user_meters *all);

/* The meter of a user, one for all its sessions; NULL when memory is out. Any thread. */
struct user_meter *user_meter_open(struct user_meters *all, struct bytes user);
void user_meter_close(struct user_meter *m); /* NULL is fine */
/* A message of so many octets was taken: how many milliseconds its session has to wait before it
 * sends another; 0: none. */
uint64_t user_meter_charge(struct user_meter *m, size_t n, uint64_t now_ms);

#endif
