package hector

import (
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errorf returns a status that says why a call could not be done: the reason is for programs, as
// "MODEL_NOT_FOUND", the text is for people. The contracts name the reasons that hosts understand.
func Errorf(code codes.Code, reason, format string, args ...any) error {
	refused := status.Newf(code, format, args...)
	detailed, err := refused.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "hector.plugin"})
	if err != nil { // the code was OK
		panic(fmt.Sprintf("hector.Errorf with code %v", code))
	}
	return detailed.Err()
}
