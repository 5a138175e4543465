// Example of a document parser: tables of comma-separated values, a section for each row.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"strings"
	"unicode/utf8"

	hector "github.com/hector-mesh/hector-go"
	documentv1 "github.com/hector-mesh/hector-go/hector/document/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

type tables struct {
	documentv1.UnimplementedDocumentParserServer
}

func (tables) GetSupportedExtensions(
	context.Context, *documentv1.GetSupportedExtensionsRequest,
) (*documentv1.GetSupportedExtensionsResponse, error) {
	return &documentv1.GetSupportedExtensionsResponse{
		Extensions: []string{".csv"}, MimeTypes: []string{"text/csv"}, Priority: 10,
	}, nil
}

func (tables) ParseDocument(
	_ context.Context, request *documentv1.ParseDocumentRequest,
) (*documentv1.ParseDocumentResponse, error) {
	reader := csv.NewReader(bytes.NewReader(request.Content))
	reader.FieldsPerRecord = -1 // rows may be shorter than the first one
	rows, err := reader.ReadAll()
	if err != nil || !utf8.Valid(request.Content) {
		return nil, hector.Errorf(codes.InvalidArgument, "DOCUMENT_UNREADABLE",
			"it is no table of comma-separated values in UTF-8: %v", err)
	}
	response := &documentv1.ParseDocumentResponse{Success: true}
	for at, row := range rows {
		if at == 0 && len(rows) > 1 {
			continue // the names of the columns
		}
		text := sentence(rows[0], row, len(rows) == 1)
		response.WordCount += uint32(len(strings.Fields(text)))
		response.Sections = append(response.Sections, &documentv1.Section{Text: text, StartLine: uint32(at + 1)})
	}
	return response, nil
}

func sentence(names, row []string, only bool) string {
	if only {
		return strings.Join(row, "; ")
	}
	var cells []string
	for at := range min(len(names), len(row)) {
		cells = append(cells, names[at]+": "+row[at])
	}
	return strings.Join(cells, "; ")
}

func main() {
	hector.Serve(hector.Name("example-parser", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		documentv1.RegisterDocumentParserServer(to, tables{})
	}))
}
