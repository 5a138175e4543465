import dev.hector.document.v1.DocumentParserGrpc.DocumentParserImplBase;
import dev.hector.document.v1.GetSupportedExtensionsRequest;
import dev.hector.document.v1.GetSupportedExtensionsResponse;
import dev.hector.document.v1.ParseDocumentRequest;
import dev.hector.document.v1.ParseDocumentResponse;
import dev.hector.document.v1.Section;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.StringTokenizer;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** A document parser: XML, a section for each text in it with the name of its element. */
final class Main extends DocumentParserImplBase {
  public static void main(String[] arguments) {
    new Plugin("example-parser", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void getSupportedExtensions(
      GetSupportedExtensionsRequest request, StreamObserver<GetSupportedExtensionsResponse> answer) {
    answer.onNext(
        GetSupportedExtensionsResponse.newBuilder()
            .addExtensions(".xml")
            .addMimeTypes("application/xml")
            .setPriority(10)
            .build());
    answer.onCompleted();
  }

  @Override
  public void parseDocument(ParseDocumentRequest request, StreamObserver<ParseDocumentResponse> answer) {
    var response = ParseDocumentResponse.newBuilder().setSuccess(true);
    try {
      read(reader(request.getContent().newInput()), response);
    } catch (XMLStreamException broken) {
      throw Refused.with(Code.INVALID_ARGUMENT, "DOCUMENT_UNREADABLE", "it is no XML: " + broken.getMessage());
    }
    answer.onNext(response.build());
    answer.onCompleted();
  }

  private static XMLStreamReader reader(InputStream content) throws XMLStreamException {
    var factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.IS_COALESCING, true);
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false); // a few lines of entities would unpack to gigabytes
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    return factory.createXMLStreamReader(content);
  }

  private static void read(XMLStreamReader reader, ParseDocumentResponse.Builder into) throws XMLStreamException {
    var elements = new ArrayDeque<String>();
    int line = 1; // on which what comes next begins
    while (reader.hasNext()) {
      switch (reader.next()) {
        case XMLStreamConstants.START_ELEMENT -> elements.push(reader.getLocalName());
        case XMLStreamConstants.END_ELEMENT -> elements.pop();
        case XMLStreamConstants.CHARACTERS -> {
          var text = reader.getText().strip();
          if (!text.isEmpty()) {
            into.addSections(Section.newBuilder().setText(elements.peek() + ": " + text).setStartLine(line));
            into.setWordCount(into.getWordCount() + new StringTokenizer(text).countTokens());
          }
        }
        default -> {} // comments and the like
      }
      line = reader.getLocation().getLineNumber();
    }
  }
}
