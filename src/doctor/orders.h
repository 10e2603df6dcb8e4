/*
 * doctor/orders.h - what a client wants to be done: one JSON object, which need not be any. No I/O.
 * doc/doctor.md has all of them.
 */
#ifndef DOCTOR_ORDERS_H
#define DOCTOR_ORDERS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define ORDER_OCTETS_MAX   65536 /* of one message */
#define ORDER_NUMBER_MAX   INT64_C(9007199254740991) /* what JavaScript can count to */
#define ORDER_REASON_MAX   123
#define ORDER_PUSH_OCTETS  1048576
#define ORDER_PUSH_MS      120000

enum order_kind {
	ORDER_SEEN,
	ORDER_ECHO,
	ORDER_PUSH,
	ORDER_SILENCE,
	ORDER_STOP,
	ORDER_CLOSE,
	ORDER_REPORT,
};

struct order {
	enum order_kind kind;
	int64_t id, seq; /* -1: none */
	int64_t bytes, count, every_ms, ms, code;
	char reason[ORDER_REASON_MAX + 1];
	json_t *report; /* a reference; NULL but of ORDER_REPORT */
};

struct order_fault {
	const char *code;
	char sentence[240];
};

/* 0; -EINVAL: it makes no sense, and `fault` says why (o->id is right if it could be read);
 * -ENOMEM, likewise. */
int order_read(struct order *o, struct bytes text, struct order_fault *fault);
void order_fini(struct order *o);

#endif
