// chat.go - a chat on plain WebSocket, with the standard library alone.
//
//	go run chat.go		ws://127.0.0.1:9000/chat; PORT=n for another port
//
// It knows nothing of SockJS: whoever comes through the gateway is a WebSocket
// client like any other. Messages are described in README.md; chat.mjs and
// chat.py are the same program, with a library for what stands at the end of this one.
package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	nameMax         = 32
	textMax         = 500
	messageMaxBytes = 4096
	behindMax       = 256 // messages; who reads more slowly than that is let go
	writeTimeout    = 10 * time.Second
)

var shown = []string{"x-forwarded-for", "x-sockjs-transport", "origin", "sec-websocket-protocol"}

// --- people -------------------------------------------------------------------

type person struct {
	socket *socket
	name   string // empty until joined
}

var (
	lock   sync.Mutex // guards people and their names
	people []*person
)

func here() []string {
	names := []string{}
	for _, p := range people {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	sort.Strings(names)
	return names
}

type fields map[string]any

func tellAll(message fields) {
	text, _ := json.Marshal(message)
	for _, p := range people {
		p.socket.send(opText, text)
	}
}

func (p *person) tell(message fields) {
	text, _ := json.Marshal(message)
	p.socket.send(opText, text)
}

// A text of 1 to max characters, without the blanks around it; else empty.
func textOf(text string, max int) string {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > max {
		return ""
	}
	return text
}

// Returns what is wrong, if anything is; so does say.
func (p *person) join(name string) string {
	name = textOf(name, nameMax)
	if p.name != "" {
		return "You are here already."
	}
	if name == "" {
		return fmt.Sprintf("A name has 1 to %d characters.", nameMax)
	}
	p.name = name
	tellAll(fields{"type": "joined", "name": name, "here": here()})
	return ""
}

func (p *person) say(text string) string {
	text = textOf(text, textMax)
	if p.name == "" {
		return "Join first."
	}
	if text == "" {
		return fmt.Sprintf("A text has 1 to %d characters.", textMax)
	}
	tellAll(fields{"type": "said", "name": p.name, "text": text})
	return ""
}

func (p *person) onMessage(opcode byte, data []byte) {
	var message struct{ Type, Name, Text string }
	wrong := "This is not understood."

	lock.Lock()
	defer lock.Unlock()
	if opcode == opText && json.Unmarshal(data, &message) == nil {
		switch message.Type {
		case "join":
			wrong = p.join(message.Name)
		case "say":
			wrong = p.say(message.Text)
		}
	}
	if wrong != "" {
		p.tell(fields{"type": "error", "text": wrong})
	}
}

func enter(s *socket, r *http.Request) *person {
	p := &person{socket: s}
	saw := map[string]any{}
	for _, name := range shown {
		saw[name] = nil
		if values := r.Header.Values(name); len(values) > 0 {
			saw[name] = strings.Join(values, ", ")
		}
	}
	lock.Lock()
	defer lock.Unlock()
	people = append(people, p)
	p.tell(fields{"type": "welcome", "server": "Go", "saw": saw, "here": here()})
	return p
}

func (p *person) leave() {
	lock.Lock()
	defer lock.Unlock()
	for i := range people {
		if people[i] == p {
			people = append(people[:i], people[i+1:]...)
			break
		}
	}
	if p.name != "" {
		tellAll(fields{"type": "left", "name": p.name, "here": here()})
	}
}

func chat(w http.ResponseWriter, r *http.Request) {
	s := accept(w, r)
	if s == nil {
		return
	}
	p := enter(s, r)
	for {
		opcode, data, err := s.receive()
		if err != nil {
			break
		}
		p.onMessage(opcode, data)
	}
	p.leave()
	close(s.out) // nobody else sends to it any more
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "9000"
	}
	log.SetFlags(0)
	// The gateway decides who may come, by origin; nobody else shall reach this.
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal("chat: ", err)
	}
	fmt.Printf("chat: listening on ws://%s/chat\n", listener.Addr())
	http.HandleFunc("/chat", chat)
	log.Fatal(http.Serve(listener, nil))
}

// --- RFC 6455, as much as a server needs -----------------------------------------

const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// A closeError is why we fail a connection: the code in the Close frame.
type closeError uint16

func (e closeError) Error() string { return fmt.Sprint("closing with ", uint16(e)) }

var errPeerClosed = errors.New("the peer has closed")

type socket struct {
	conn net.Conn
	in   *bufio.Reader
	out  chan []byte // frames; closed when the last one is in
}

// Section 4.2. Returns nil if the request was answered otherwise.
func accept(w http.ResponseWriter, r *http.Request) *socket {
	key := r.Header.Get("Sec-WebSocket-Key")
	if nonce, err := base64.StdEncoding.DecodeString(key); r.Method != "GET" ||
		!hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade") ||
		err != nil || len(nonce) != 16 {
		http.Error(w, "This is for WebSocket clients.", http.StatusBadRequest)
		return nil
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, "Only version 13 is spoken.", http.StatusUpgradeRequired)
		return nil
	}
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return nil
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if hasToken(r.Header, "Sec-WebSocket-Protocol", "chat") {
		head += "Sec-WebSocket-Protocol: chat\r\n"
	}
	s := &socket{conn, rw.Reader, make(chan []byte, behindMax)}
	s.out <- []byte(head + "\r\n")
	go s.writeAll()
	return s
}

func hasToken(h http.Header, name, token string) bool {
	for _, element := range strings.Split(strings.Join(h.Values(name), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(element), token) {
			return true
		}
	}
	return false
}

// Writes whatever is sent, so that nobody waits for a slow reader; then hangs up.
func (s *socket) writeAll() {
	for frame := range s.out {
		s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := s.conn.Write(frame); err != nil {
			s.conn.Close() // which ends receive(), and that closes s.out
		}
	}
	s.conn.Close()
}

// One unmasked frame (section 5.2).
func (s *socket) send(opcode byte, data []byte) {
	frame := []byte{0x80 | opcode, byte(len(data))}
	switch {
	case len(data) > 65535:
		frame[1] = 127
		frame = binary.BigEndian.AppendUint64(frame, uint64(len(data)))
	case len(data) > 125:
		frame[1] = 126
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(data)))
	}
	select {
	case s.out <- append(frame, data...):
	default:
		s.conn.Close()
	}
}

// The next message, whole. Pings are answered, and a Close; after an error there is no more.
func (s *socket) receive() (byte, []byte, error) {
	opcode, data, err := s.receiveMessage()
	var failure closeError
	if errors.As(err, &failure) {
		s.send(opClose, binary.BigEndian.AppendUint16(nil, uint16(failure)))
	}
	return opcode, data, err
}

func (s *socket) receiveMessage() (opcode byte, message []byte, err error) {
	for {
		final, op, data, err := s.receiveFrame(messageMaxBytes - len(message))
		if err != nil {
			return 0, nil, err
		}
		switch {
		case op == opPing:
			s.send(opPong, data)
			continue
		case op == opPong:
			continue
		case op == opClose:
			if len(data) >= 2 {
				data = data[:2] // its code, without the reason
			}
			s.send(opClose, data)
			return 0, nil, errPeerClosed
		case op > opBinary, (op == opContinuation) != (opcode != 0):
			return 0, nil, closeError(1002)
		case op != opContinuation:
			opcode = op
		}
		message = append(message, data...)
		if !final {
			continue
		}
		if opcode == opText && !utf8.Valid(message) {
			return 0, nil, closeError(1007)
		}
		return opcode, message, nil
	}
}

func (s *socket) receiveFrame(room int) (final bool, opcode byte, data []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(s.in, head[:]); err != nil {
		return
	}
	final, opcode = head[0]&0x80 != 0, head[0]&0x0f
	isControl := opcode&0x8 != 0
	if head[0]&0x70 != 0 || head[1]&0x80 == 0 || (isControl && (!final || head[1]&0x7f > 125)) {
		err = closeError(1002)
		return
	}
	n, err := s.receiveLength(head[1] & 0x7f)
	if err == nil && !isControl && n > uint64(room) {
		err = closeError(1009)
	}
	if err != nil {
		return
	}
	data = make([]byte, 4+n) // the masking key comes before the data
	if _, err = io.ReadFull(s.in, data); err != nil {
		return
	}
	key := data[:4]
	data = data[4:]
	for i := range data {
		data[i] ^= key[i&3]
	}
	return
}

func (s *socket) receiveLength(short byte) (uint64, error) {
	var wide [8]byte
	size := map[byte]int{126: 2, 127: 8}[short]
	if size == 0 {
		return uint64(short), nil
	}
	_, err := io.ReadFull(s.in, wide[8-size:])
	return binary.BigEndian.Uint64(wide[:]), err
}
