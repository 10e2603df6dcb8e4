/*
 * pubsub/snapshot.h - STOMP clients and their broker, for another process (base/snapshot.h); for the files of this
 * folder alone.
 *
 *	pubsub_snapshot.c   what a part has, and the callbacks for both
 *	client_snapshot.c   a client
 *
 * All that is read is read by one thread after another (broker->restoring), for what belongs to another part is put
 * there.
 */
#ifndef PUBSUB_SNAPSHOT_H
#define PUBSUB_SNAPSHOT_H

#include "base/snapshot.h"
#include "pubsub/pubsub.h"

/* pubsub_snapshot.c: callbacks of an application */
int pubsub_save(struct sockjs_session *session, struct sockjs_saved *to, void *broker);
int pubsub_restore(struct sockjs_session *session, struct sockjs_saved *from, void *broker);

/* client_snapshot.c */
bool client_may_go_on(const struct sockjs_client *c);
/* Reading: into a new one, that has its session. */
void client_snapshot(struct sockjs_client *c, struct snapshot *s);

/* published.c: reading, `p` is NULL, and one reference is returned; NULL: the snapshot says why. */
struct published *published_snapshot(struct published *p, struct buf *scratch, struct snapshot *s);
/* gate.c */
void gate_snapshot(struct sockjs_client *c, struct subscription *sub, struct snapshot *s);
/* transactions.c: those of a client, and what it has committed; and those that were committed by who has left */
void transactions_snapshot(struct sockjs_client *c, struct snapshot *s);
void commits_snapshot(struct pubsub_part *part, struct snapshot *s);
/* In their part's reactor: they go on. */
void transactions_restored(struct pubsub_part *part);
/* takeover.c: its client-id. */
void takeover_snapshot(struct sockjs_client *c, struct snapshot *s);
/* client_api.c */
void client_attributes_snapshot(struct sockjs_client *c, struct snapshot *s);

#endif
