/*
 * relay/relay_names.h - destinations as clients call them, and as a broker does: "/topic/prices/eur" here is
 * "/topic/prices.eur" there, and a "**" behind "/topic/prices" is "/topic/prices.#" or "/topic/prices.>".
 *
 * One name here is one name there, and the other way round: what a broker would take for the same, or
 * for something else than it says (a pattern, several destinations, options), is refused. So rules of
 * access by our names hold there.
 */
#ifndef RELAY_RELAY_NAMES_H
#define RELAY_RELAY_NAMES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"

enum relay_kind { RELAY_RABBITMQ, RELAY_ACTIVEMQ };

struct relay_names {
	enum relay_kind kind;
	char separator; /* of clients, behind the first segment; the brokers' is a dot */
};

/* Appends the broker's name of a valid destination (or, `is_pattern`, of what may be subscribed). 0;
 * -EINVAL: it has none, and *why is a sentence for clients; -ENOMEM. After a failure `out` is to be thrown
 * away. */
int relay_name_there(const struct relay_names *names, struct bytes here, bool is_pattern,
    struct buf *out, const char **why);
/* Appends our name of one that a broker has said, from which that one follows. 0; -EINVAL: it has none;
 * -ENOMEM. Likewise. */
int relay_name_here(const struct relay_names *names, struct bytes there, struct buf *out);

#endif
