/*
 * doctor/orders.c - reads what a client wants; see orders.h. A table says which orders there are,
 * which members each has, and what these may be.
 */
#include "doctor/orders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "server/json_text.h"

enum member_type { NUMBER, TEXT, REASON, OBJECT };

struct member {
	const char *name;
	enum member_type type;
	size_t field; /* in struct order, of a number */
	int64_t least, most;
	bool is_needed;
};

#define NUMBER_OF(name, least, most) { #name, NUMBER, offsetof(struct order, name), least, most, false }
#define NEEDED_OF(name, least, most) { #name, NUMBER, offsetof(struct order, name), least, most, true }

static const struct member of_echo[] = {
	NUMBER_OF(seq, 0, ORDER_NUMBER_MAX),
	NUMBER_OF(bytes, 0, ORDER_OCTETS_MAX),
	{ "pad", TEXT, 0, 0, 0, false },
	{ NULL },
};
static const struct member of_push[] = {
	NEEDED_OF(count, 1, 1000),
	NEEDED_OF(every_ms, 0, 10000),
	NUMBER_OF(bytes, 0, ORDER_OCTETS_MAX),
	{ NULL },
};
static const struct member of_silence[] = { NEEDED_OF(ms, 1, 600000), { NULL } };
static const struct member of_close[] = {
	NUMBER_OF(code, 1000, 4999),
	{ "reason", REASON, 0, 0, 0, false },
	{ NULL },
};
static const struct member of_report[] = { { "report", OBJECT, 0, 0, 0, true }, { NULL } };
static const struct member of_nothing[] = { { NULL } };

static const struct known_order {
	const char *name;
	enum order_kind kind;
	const struct member *members;
} known_orders[] = {
	{ "seen", ORDER_SEEN, of_nothing },
	{ "echo", ORDER_ECHO, of_echo },
	{ "push", ORDER_PUSH, of_push },
	{ "silence", ORDER_SILENCE, of_silence },
	{ "stop", ORDER_STOP, of_nothing },
	{ "close", ORDER_CLOSE, of_close },
	{ "report", ORDER_REPORT, of_report },
};

/* --- faults ----------------------------------------------------------------------------- */

static int fail(struct order_fault *fault, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct order_fault *fault, const char *code, const char *format, ...)
{
	va_list ap;

	fault->code = code;
	va_start(ap, format);
	vsnprintf(fault->sentence, sizeof(fault->sentence), format, ap);
	va_end(ap);
	return -EINVAL;
}

static int no_memory(struct order_fault *fault)
{
	fail(fault, "no_memory", "Out of memory.");
	return -ENOMEM;
}

/* --- members ------------------------------------------------------------------------------ */

static int read_number(
    struct order *o, const struct member *m, const json_t *value, struct order_fault *fault)
{
	int64_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < m->least || n > m->most)
		return fail(fault, "wrong_member",
		    "%s must be a whole number from %" PRId64 " to %" PRId64 ".", m->name, m->least,
		    m->most);
	*(int64_t *)(void *)((char *)o + m->field) = n;
	return 0;
}

static int read_reason(
    struct order *o, const struct member *m, const json_t *value, struct order_fault *fault)
{
	if (!json_is_string(value) || json_string_length(value) > ORDER_REASON_MAX)
		return fail(fault, "wrong_member", "%s must be a text of at most %d octets.", m->name,
		    ORDER_REASON_MAX);
	snprintf(o->reason, sizeof(o->reason), "%s", json_string_value(value));
	return 0;
}

static int read_member(
    struct order *o, const struct member *m, json_t *value, struct order_fault *fault)
{
	switch (m->type) {
	case NUMBER:
		return read_number(o, m, value, fault);
	case REASON:
		return read_reason(o, m, value, fault);
	case TEXT: /* it is there for its length */
		return json_is_string(value)
		           ? 0
		           : fail(fault, "wrong_member", "%s must be a text.", m->name);
	case OBJECT:
		break;
	}
	if (!json_is_object(value))
		return fail(fault, "wrong_member", "%s must be an object.", m->name);
	o->report = json_incref(value);
	return 0;
}

static const struct member *find_member(const struct member *members, const char *name)
{
	while (members->name && strcmp(members->name, name) != 0)
		members++;
	return members->name ? members : NULL;
}

static bool is_of_all(const char *name)
{
	return strcmp(name, "do") == 0 || strcmp(name, "id") == 0;
}

static int check_names(
    const struct known_order *known, const json_t *object, struct order_fault *fault)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, name, value)
		if (!is_of_all(name) && !find_member(known->members, name))
			return fail(fault, "wrong_member", "%s has no member \"%.40s\".", known->name,
			    name);
	return 0;
}

static int read_members(struct order *o, const struct known_order *known, const json_t *object,
    struct order_fault *fault)
{
	int err = check_names(known, object, fault);

	for (const struct member *m = known->members; m->name && err == 0; m++) {
		json_t *value = json_object_get(object, m->name);

		if (value)
			err = read_member(o, m, value, fault);
		else if (m->is_needed)
			err = fail(
			    fault, "wrong_member", "%s needs the member %s.", known->name, m->name);
	}
	return err;
}

/* --- members together ----------------------------------------------------------------------- */

static int check_together(const struct order *o, struct order_fault *fault)
{
	if (o->kind == ORDER_PUSH && o->count * o->bytes > ORDER_PUSH_OCTETS)
		return fail(fault, "wrong_member", "count times bytes may be at most %d.",
		    ORDER_PUSH_OCTETS);
	if (o->kind == ORDER_PUSH && o->count * o->every_ms > ORDER_PUSH_MS)
		return fail(fault, "wrong_member", "count times every_ms may be at most %d.",
		    ORDER_PUSH_MS);
	if (o->kind == ORDER_CLOSE && o->code > 1000 && o->code < 3000)
		return fail(fault, "wrong_member", "code must be 1000, or from 3000 to 4999.");
	return 0;
}

/* --- all ---------------------------------------------------------------------------------------
 */

static const struct known_order *find_order(const char *name)
{
	for (size_t i = 0; name && i < sizeof(known_orders) / sizeof(*known_orders); i++)
		if (strcmp(known_orders[i].name, name) == 0)
			return &known_orders[i];
	return NULL;
}

static int read_id(struct order *o, const json_t *object, struct order_fault *fault)
{
	static const struct member id = NUMBER_OF(id, 0, ORDER_NUMBER_MAX);
	const json_t *value = json_object_get(object, "id");

	return value ? read_number(o, &id, value, fault) : 0;
}

static int read_object(struct order *o, const json_t *object, struct order_fault *fault)
{
	const struct known_order *known = find_order(json_string_value(json_object_get(object, "do")));
	int err = read_id(o, object, fault);

	if (err < 0)
		return err;
	if (!known)
		return fail(fault, "wrong_command",
		    "do must be seen, echo, push, silence, stop, close or report.");
	o->kind = known->kind;
	err = read_members(o, known, object, fault);
	return err < 0 ? err : check_together(o, fault);
}

static int complain(const json_t *value, const json_error_t *error, struct order_fault *fault)
{
	if (!value && !error->text[0])
		return no_memory(fault);
	return fail(fault, "not_json", "A message must be one JSON object: column %d: %.120s.",
	    value ? 1 : error->column,
	    value ? "this is something else" : json_text_complaint(error));
}

int order_read(struct order *o, struct bytes text, struct order_fault *fault)
{
	json_error_t error;
	json_t *value;
	int err;

	*o = (struct order){ .id = -1, .seq = -1, .code = 3000, .reason = "Good bye" };
	if (text.n > ORDER_OCTETS_MAX)
		return fail(fault, "too_long", "A message may have at most %d octets.", ORDER_OCTETS_MAX);
	value = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	err = json_is_object(value) ? read_object(o, value, fault) : complain(value, &error, fault);
	json_decref(value);
	return err;
}

void order_fini(struct order *o)
{
	json_decref(o->report);
	o->report = NULL;
}
