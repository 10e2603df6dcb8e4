/*
 * net/tls_carrier.h - connections under TLS while another process goes on with what they are for.
 *
 * The state of TLS cannot be handed over. So a socket of a pair is, in place of the connection, and its other end is
 * carried to and from the TLS here: to the other process it is a connection as any other. What is carried is
 * never more than CARRIER_MOST octets each way, and whoever does not take it stops the other side.
 *
 * An offer comes to nothing (tls_carriers_withdraw()), and then all is as it was; or it is
 * taken (tls_carriers_take()): then nobody else has the stream any more.
 */
#ifndef NET_TLS_CARRIER_H
#define NET_TLS_CARRIER_H

#include <stddef.h>

#include "base/list.h"
#include "net/stream.h"

struct snapshot;

#define CARRIER_MOST 65536

/* A socket that stands for the stream, which stays whose it is until the offer is taken, for snapshot->carriers; or
 * -errno. And its witness there (stream_witness.h). Neither is the caller's. */
int tls_carrier_offer(struct snapshot *snapshot, struct stream *s, int *witness);
/* In the thread of the streams' loop: all offers of the list come to nothing. */
void tls_carriers_withdraw(struct list *carriers);
/* Likewise: the streams leave their loop. The sockets that were handed over are the caller's to close. */
void tls_carriers_take(struct list *carriers);
/* In another thread, perhaps: they begin to carry in this loop. */
void tls_carriers_begin(struct list *carriers, struct loop *loop);
/* Each of them leaves the list when both of its sides have ended. Ends those that are left. */
void tls_carriers_end(struct list *carriers);

#endif
