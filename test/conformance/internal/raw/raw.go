// Package raw sends request bytes as they are and hands back answer bytes as they came, so that two
// servers can be compared byte for byte and hostile encodings can be sent.
package raw

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	maxMessageBytes = 512 << 20
	callTimeout     = 30 * time.Second
)

type codec struct{}

func (codec) Marshal(v any) ([]byte, error) { return *(v.(*[]byte)), nil }

func (codec) Unmarshal(data []byte, v any) error {
	*(v.(*[]byte)) = append([]byte(nil), data...)
	return nil
}

func (codec) Name() string { return "proto" }

// Answer is everything a client sees of one call.
type Answer struct {
	Messages [][]byte
	Code     codes.Code
	Text     string
}

// Client is one connection to one server.
type Client struct {
	Conn *grpc.ClientConn
}

// Dial connects to host:port in plain text.
func Dial(endpoint string) (*Client, error) {
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(codec{}),
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes)))
	return &Client{Conn: conn}, err
}

// Ready waits until the server accepts connections, and fails when it does not for half a minute.
func (c *Client) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for {
		c.Conn.Connect()
		state := c.Conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if !c.Conn.WaitForStateChange(ctx, state) {
			return errors.New("cannot connect to " + c.Conn.Target())
		}
	}
}

func fromError(err error) Answer {
	s := status.Convert(err)
	// protobuf-go writes either a blank or a no-break space after "proto:", by build.
	return Answer{Code: s.Code(), Text: strings.ReplaceAll(s.Message(), "\u00a0", " ")}
}

// Unary calls one method.
func (c *Client) Unary(method string, request []byte) Answer {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var out []byte
	if err := c.Conn.Invoke(ctx, method, &request, &out); err != nil {
		return fromError(err)
	}
	return Answer{Messages: [][]byte{out}}
}

// ServerStream calls a server-streaming method and reads it to its end.
func (c *Client) ServerStream(method string, request []byte) Answer {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	stream, err := c.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return fromError(err)
	}
	// A refused request shows in RecvMsg; SendMsg then only says io.EOF.
	if err := stream.SendMsg(&request); err != nil && !errors.Is(err, io.EOF) {
		return fromError(err)
	}
	if err := stream.CloseSend(); err != nil {
		return fromError(err)
	}
	var answer Answer
	for {
		var out []byte
		err := stream.RecvMsg(&out)
		if errors.Is(err, io.EOF) {
			return answer
		}
		if err != nil {
			failed := fromError(err)
			answer.Code, answer.Text = failed.Code, failed.Text
			return answer
		}
		answer.Messages = append(answer.Messages, out)
	}
}

// Stream is a bidirectional stream of raw messages.
type Stream struct {
	stream grpc.ClientStream
	cancel context.CancelFunc
}

// Bidi opens a bidirectional stream without a deadline.
func (c *Client) Bidi(method string) (*Stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := c.Conn.NewStream(ctx, desc, method)
	if err != nil {
		cancel()
		return nil, err
	}
	return &Stream{stream, cancel}, nil
}

// Send writes one message.
func (s *Stream) Send(message []byte) error { return s.stream.SendMsg(&message) }

// Recv reads one message.
func (s *Stream) Recv() ([]byte, error) {
	var out []byte
	err := s.stream.RecvMsg(&out)
	return out, err
}

// CloseSend ends the client's side.
func (s *Stream) CloseSend() error { return s.stream.CloseSend() }

// Close cancels the stream.
func (s *Stream) Close() { s.cancel() }

// ErrorAnswer converts a stream's error.
func ErrorAnswer(err error) Answer { return fromError(err) }
