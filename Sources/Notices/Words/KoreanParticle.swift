/// A particle whose form depends on how the word before it ends: 은/는, 이/가, 을/를, 으로/로.
enum KoreanParticle: Sendable {
    case topic
    case subject
    case object
    case means

    /// The form that follows a word.
    func after(_ word: String) -> String {
        let ending = Ending(of: word)
        return switch self {
        case .topic: ending == .open ? "는" : "은"
        case .subject: ending == .open ? "가" : "이"
        case .object: ending == .open ? "를" : "을"
        case .means: ending == .closed ? "으로" : "로"
        }
    }

    /// How the last syllable of a word, read aloud in Korean, ends.
    enum Ending: Hashable, Sendable {
        case open
        /// With ㄹ, after which it is 로 and not 으로.
        case rieul
        case closed

        init(of word: String) {
            // What stands in brackets or is punctuation at the end is not read.
            let scalars = word.unicodeScalars.reversed().drop { !$0.properties.isAlphabetic && !("0"..."9" ~= $0) }
            guard let last = scalars.first else {
                self = .open
                return
            }
            switch last {
            case "\u{AC00}"..."\u{D7A3}": self.init(finalConsonant: (last.value - 0xAC00) % 28)
            case "0"..."9": self.init(digit: last)
            case "a"..."z", "A"..."Z":
                let run = scalars.prefix { ("a"..."z" ~= $0) || ("A"..."Z" ~= $0) }
                self.init(latin: String(String.UnicodeScalarView(run.reversed())))
            default: self = .open
            }
        }

        /// - Parameter index: of the syllable's final consonant in Unicode's order; 0 is none.
        private init(finalConsonant index: UInt32) {
            self = index == 0 ? .open : index == 8 ? .rieul : .closed
        }

        /// 영 일 이 삼 사 오 육 칠 팔 구; what ends with zeros ends with 십, 백, 천 or 만.
        private init(digit: Unicode.Scalar) {
            self =
                switch digit {
                case "1", "7", "8": .rieul
                case "0", "3", "6": .closed
                default: .open
                }
        }

        /// Letters that are spelled out (엘, 엠, 엔, 알; the others end open), or an English word as Korean borrows it.
        private init(latin run: String) {
            let word = run.lowercased()
            let isSpelled = run.count == 1 || run == run.uppercased() || !word.contains { "aeiouy".contains($0) }
            self = isSpelled ? Self.spelled(word) : Self.read(word)
        }

        private static func spelled(_ letters: String) -> Ending {
            switch letters.last {
            case "l", "r": .rieul
            case "m", "n": .closed
            default: .open
            }
        }

        /// 서비스, 파일, 파이프라인, 봇, 리포트: by the letters that decide it for nearly all borrowed words.
        private static func read(_ word: String) -> Ending {
            if ["l", "le"].contains(where: word.hasSuffix) { return .rieul }
            if ["m", "n", "ng", "me", "ne"].contains(where: word.hasSuffix) { return .closed }
            // A stop is a final consonant after one short vowel (봇, 맵, 북), and a syllable of its own otherwise (테스트, 루트).
            let stops: Set<Character> = ["p", "t", "k", "c", "b"]
            guard let last = word.last, stops.contains(last) else { return .open }
            let stem = word.dropLast(word.hasSuffix("ck") || word.hasSuffix("\(last)\(last)") ? 2 : 1)
            guard let vowel = stem.last, "aeiou".contains(vowel) else { return .open }
            let before = stem.dropLast().last
            let isLong = before.map { "aeiou".contains($0) } ?? false
            let isShortAllTheSame = (before == "o" && vowel == "u") || (before == "o" && vowel == "o" && last == "k")
            return isLong && !isShortAllTheSame ? .open : .closed
        }
    }
}
