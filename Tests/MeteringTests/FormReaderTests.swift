import TestSupport
import Testing

@testable import Metering

/// Forms, whole and piece by piece.
@Suite struct FormReaderTests {
    private func form(_ parts: [(String, String)], boundary: String = "XX") -> String {
        parts.map { "--\(boundary)\r\nContent-Disposition: form-data; \($0.0)\r\n\r\n\($0.1)\r\n" }.joined()
            + "--\(boundary)--\r\n"
    }

    private func read(_ body: String, type: String = "multipart/form-data; boundary=XX") throws -> RequestFacts {
        try Metered.facts("/v1/audio/transcriptions", body, type: type)
    }

    @Test func theModelOfAFormIsRead() throws {
        let file = #"name="file"; filename="a;b \"x\".wav""#.replacing(#"\""#, with: "'")
        let facts = try read(form([(file, String(repeating: "s", count: 5_000)), (#"name="model""#, "whisper-1")]))
        #expect(facts.model == "whisper-1")
        #expect(facts.input.audioBytes == 5_000)
        #expect(
            try read(
                form([(#"name="model""#, "m")], boundary: "a b").replacing("a b", with: "ab"),
                type: #"multipart/form-data; charset=UTF-8; boundary="ab""#
            ).model == "m")
    }

    @Test func aFormThatServersReadDifferentlyIsRefused() {
        let model = #"name="model""#
        let bad = [
            form([(model, "a"), (model, "b")]), form([]), form([(model, "a")]).replacing("--XX--", with: "--XX"),
            "preamble" + form([(model, "a")]), form([(model, "a\u{0}")]),
            form([(model + "; name=\"model\"", "a")]), form([(model, String(repeating: "a", count: 5_000))]),
            form([("name=\"n\"", "-1"), (model, "a")]), "",
        ]
        for body in bad { #expect(throws: MalformedRequest.self, "\(body)") { try read(body) } }
        for type in [
            "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=XX; boundary=YY",
            "multipart/form-data; boundary=XX; charset=utf-7", "multipart/form-data; boundary*=utf-8''YY; boundary=XX",
            "multipart/form-data; boundary=\"X X\"", "multipart/form-data; boundary=XX;",
        ] { #expect(throws: MalformedRequest.self) { try read(form([(model, "a")]), type: type) } }
    }

    @Test func headsThatServersReadDifferentlyAreRefused() throws {
        let model = #"Content-Disposition: form-data; name="model""#
        func form(_ head: String) -> String { "--XX\r\n\(head)\r\n\r\na\r\n--XX--\r\n" }
        #expect(throws: Never.self) { try read(form("Content-Type: text/plain\r\n" + model)) }
        for head in [
            "", "\r\n" + model, "X: 1\n" + model, "X: 1\r" + model, "X: 1\r\n folded\r\n" + model,
            "X: \u{0}\r\n" + model, "Content-Transfer-Encoding: base64\r\n" + model,
            "Content-Type: text/plain; charset=utf-7\r\n" + model, "no header\r\n" + model, ": 1\r\n" + model,
            "Content-Disposition : form-data; name=\"n\"\r\n" + model, model + "\r\n" + model, model + "\r\n--XX",
            model + "\r\n" + String(repeating: "X: 1\r\n", count: 400) + "Y: 2",
        ] { #expect(throws: MalformedRequest.self, "\(head)") { try read(form(head)) } }
        for rest in [
            "", "; NAME=\"model\"", "; name =\"model\"", "; name=\"prompt\"; Name=\"model\"",
            "; name=\"prompt\"; name=\"model\"",
            "; name*=utf-8''model", "; name=\"mod\\el\"", "; name=\"model\"; filename=\"\"", "; name=\"model",
            "; name=",
            "; name=\"model\" x", "; name=\"model\";", "; name=\"f\"; FileName=\"a\"", "; name=\"f\"; filename*0=a",
            "; name=\"f\"; filename=\"a\\\"; x=\"b\"", "; x=1; name=\"model\"",
        ] {
            let head = "Content-Disposition: form-data\(rest)\r\n\r\na\r\n--XX\r\n" + model
            #expect(throws: MalformedRequest.self, "\(rest)") { try read(form(head)) }
        }
        #expect(throws: MalformedRequest.self) { try read(form(model.replacing("form-data", with: "attachment"))) }
        for line in [
            "Content-Type: text/plain; charset=\"utf-8\"", "Content-Length: 1", "Content-Transfer-Encoding: 8bit",
        ] {
            #expect(throws: Never.self) { try read(form(line + "\r\n" + model)) }
        }
        // As .NET writes it.
        let bare = model.replacing("\"", with: "")
        let file = "name=file; filename=a.wav; filename*=utf-8''a.wav"
        #expect(try read("--XX\r\n\(bare)\r\n\r\nm\r\n" + self.form([(file, "four")])).input.audioBytes == 4)
        #expect(
            try read(self.form([(#"name="file"; filename="a\b é.wav""#, "four"), (#"name="model""#, "m")])).input
                .audioBytes == 4)
        // To some a boundary ends the head, to others it is the body's first line.
        #expect(throws: MalformedRequest.self) {
            try read("--XX\r\n\(model)\r\n\r\n--XX\r\n\(model)\r\n\r\na\r\n--XX--\r\n")
        }
    }

    /// Some servers end a line at half a line end.
    @Test func aBoundaryBehindHalfALineEndIsRefused() throws {
        for (half, fits) in [("\n", false), ("\r", false), ("x\r\r\n", true), ("", true), ("\n-", true)] {
            let whole = form([(Self.recording, "sound" + half + "--XX and on"), (#"name="model""#, "m")])
            for size in [1, 2, 5, 1_000] {
                var reader = try reader()
                var failed = false
                do {
                    for start in stride(from: 0, to: whole.utf8.count, by: size) {
                        try read(Array(Array(whole.utf8)[start..<min(start + size, whole.utf8.count)]), &reader)
                    }
                    _ = try reader.finish()
                } catch { failed = true }
                // Behind a whole line end it is one, and what follows is no boundary's.
                #expect(failed == (!fits || half.hasSuffix("\r\n")), "\(half.debugDescription) by \(size)")
            }
        }
    }

    // MARK: In pieces

    private static let recording = #"name="file"; filename="a.wav""#
    /// Almost a boundary, again and again.
    private static let sound = String(repeating: "\r\n--X\r\r\n-", count: 400)

    private func reader(
        _ route: String = "/v1/audio/transcriptions", length: Int? = 10_000
    ) throws -> FormReader {
        try FormReader(
            try Metered.match(route).route, contentType: "multipart/form-data; boundary=XX", length: length)
    }

    private func read(_ text: String, _ reader: inout FormReader) throws { try read(Array(text.utf8), &reader) }
    private func read(_ bytes: [UInt8], _ reader: inout FormReader) throws {
        try bytes.withUnsafeBytes { try reader.read($0) }
    }

    @Test func howItIsCutChangesNothing() throws {
        let form = form([
            (#"name="prompt""#, "a name"), (Self.recording, Self.sound), (#"name="model""#, "whisper-1"),
            (#"name="stream""#, "true"), (#"name="user""#, "u"), (Self.recording, "more"),
        ])
        let whole = try read(form)
        #expect(whole.input.audioBytes == Int64(Self.sound.utf8.count + 4) && whole.streams && whole.user == "u")
        #expect(whole.input.textBytes == Int64(form.utf8.count) - whole.input.audioBytes)
        var random = SeededGenerator(seed: 20_261_123)
        for size in [1, 2, 3, 7, 64, 1_000] + (0..<20).map({ _ in 0 }) {
            var (reader, rest) = (try reader(), Substring(form))
            while !rest.isEmpty {
                let piece = rest.prefix(size > 0 ? size : Int.random(in: 1...600, using: &random))
                try read(String(piece), &reader)
                rest = rest.dropFirst(piece.count)
            }
            #expect(try reader.finish() == whole)
        }
    }

    @Test func aRecordingMayGoOnWhenItsModelIsKnown() throws {
        let whole = form([(#"name="model""#, "whisper-1"), (Self.recording, Self.sound), (#"name="stream""#, "true")])
        let length = whole.utf8.count
        var reader = try reader(length: length)
        let head = whole.prefix { $0 != "." }.utf8.count
        try read(String(whole.prefix(head)), &reader)
        let early = reader.beginning()
        #expect(early == nil)
        try read(String(whole.dropFirst(head).prefix(200)), &reader)
        let beginning = reader.beginning()
        let facts = try #require(beginning)
        #expect(facts.model == "whisper-1" && !facts.streams)
        let again = reader.beginning()
        #expect(again == nil)
        try read(String(whole.dropFirst(head + 200)), &reader)
        let known = try reader.finish()
        #expect(known.streams && known.input.audioBytes == Int64(Self.sound.utf8.count))
        // What it was admitted with bounds what it turned out to be.
        #expect(facts.input.audioBytes >= known.input.audioBytes && facts.input.textBytes >= known.input.textBytes)
        #expect(facts.input.tokenBound >= known.input.tokenBound)
    }

    @Test func whoseBoundIsNotKnownDoesNotGoOnBeforeItsEnd() throws {
        let (model, file) = ((#"name="model""#, "m"), (Self.recording, Self.sound))
        let image = (#"name="image"; filename="a.png""#, Self.sound)
        for (route, length, parts) in [
            ("/v1/audio/transcriptions", 10_000, [file, model]), ("/v1/audio/transcriptions", nil, [model, file]),
            ("/v1/images/edits", 10_000, [model, (#"name="n""#, "1"), image]),
        ] {
            var reader = try reader(route, length: length)
            for byte in form(parts) {
                try read(String(byte), &reader)
                let beginning = reader.beginning()
                #expect(beginning == nil)
            }
            #expect(try reader.finish().model == "m")
        }
    }

    @Test func whatComesBehindARecordingThatWentOnIsBounded() throws {
        let whole = form([
            (#"name="model""#, "m"), (Self.recording, Self.sound),
            (#"name="prompt""#, String(repeating: "p", count: 4_100)),
        ])
        #expect(throws: Never.self) { try read(whole) }
        func end(_ text: String) throws {
            var reader = try reader(length: whole.utf8.count)
            try read(String(whole.prefix(1_000)), &reader)
            let beginning = reader.beginning()
            #expect(beginning != nil)
            try read(text, &reader)
            _ = try reader.finish()
        }
        #expect(throws: MalformedRequest.self) { try end(String(whole.dropFirst(1_000))) }
        #expect(throws: Never.self) {
            try end("\r\n--XX\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\np\r\n--XX--")
        }
        for late in ["a second model", "m"] {
            let again = form([(#"name="model""#, late)])
            #expect(throws: MalformedRequest.self) { try end("\r\n" + again) }
        }
        #expect(throws: MalformedRequest.self) { try end("\r\n--XX") }
    }
}
