import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.ByteString;
import dev.hector.document.v1.DocumentParserGrpc;
import dev.hector.document.v1.ParseDocumentRequest;
import dev.hector.document.v1.Section;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The parser, called as a host calls it, without a process. */
class MainTest {
  @Test
  void everyTextIsASectionWithTheNameOfItsElement() throws IOException {
    var content = "<planets>\n<planet>earth</planet>\n<planet>mars &amp; <b>its</b> moons</planet>\n</planets>";
    var document = ParseDocumentRequest.newBuilder().setContent(ByteString.copyFromUtf8(content));
    try (var running = Running.start(new Plugin("example-parser", "1.0.0").serves(new Main()), "")) {
      var parsed = DocumentParserGrpc.newBlockingStub(running.channel()).parseDocument(document.build());
      var texts = parsed.getSectionsList().stream().map(Section::getText).toList();
      assertEquals(List.of("planet: earth", "planet: mars &", "b: its", "planet: moons"), texts);
      assertEquals(List.of(2, 3, 3, 3), parsed.getSectionsList().stream().map(Section::getStartLine).toList());
    }
  }
}
