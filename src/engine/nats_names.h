/*
 * engine/nats_names.h - destinations as subjects of NATS, and back.
 *
 *	/topic/prices/eur           PREFIX.t.topic.prices.eur
 *	the same, to be kept        PREFIX.h.topic.prices.eur
 *	what gateways say of it     PREFIX.p.topic.prices.eur
 *	the same with "*"           PREFIX.t.topic.prices.*
 *	the same with "**"          PREFIX.t.topic.prices and PREFIX.t.topic.prices.>
 *	/user/ann/queue/errors      PREFIX.u.ann.queue/errors
 *	and to a member             PREFIX.s.GATEWAY.MEMBER.queue/errors
 *
 * What means something in a subject (a dot, a star, >, blanks, control characters) is %XX, and so is %.
 */
#ifndef ENGINE_NATS_NAMES_H
#define ENGINE_NATS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum nats_space { NATS_LIVE = 't', NATS_KEPT = 'h', NATS_TALK = 'p' };

/* All append. 0; -EINVAL: NATS can have no such name, for it would be too long; -ENOMEM. */
int nats_name_destination(
    struct buf *out, const char *prefix, enum nats_space space, struct bytes destination, char separator);
/* One subject, or two: *two is where the second begins, then, or 0; both are strings. */
int nats_name_pattern(struct buf *out, const char *prefix, enum nats_space space, struct bytes pattern,
    char separator, size_t *two);
/* What goes to a user; `rest` begins with "/user/". */
int nats_name_user(struct buf *out, const char *prefix, struct bytes user, struct bytes rest);
/* All that goes to it; a string. */
int nats_name_all_of_user(struct buf *out, const char *prefix, struct bytes user);
/* Likewise to a member of a gateway, and all of its members. */
int nats_name_member(
    struct buf *out, const char *prefix, uint64_t gateway, struct bytes member, struct bytes rest);
int nats_name_all_members(struct buf *out, const char *prefix, uint64_t gateway);

/* What a subject says; `user` is empty, or whose it is. In `out`, of which they are views. 0; -EINVAL: it is
 * none of these; -ENOMEM. */
int nats_name_read(struct buf *out, const char *prefix, struct bytes subject, char separator,
    struct bytes *user, struct bytes *destination);

/* Whether it is a header that JetStream, or we, have for ourselves: clients neither say nor see it. */
bool nats_name_is_reserved(struct bytes name);
/* Texts in which what a header of NATS cannot have is %XX. Append. */
int nats_name_header(struct buf *out, struct bytes name);
int nats_name_value(struct buf *out, struct bytes value);
/* And back; what is no %XX stays. */
int nats_name_decode(struct buf *out, struct bytes text);

#endif
