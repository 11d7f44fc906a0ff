/// What people read a notice in; the raw value is the word for it in addresses and streams.
package enum NoticeLanguage: String, Hashable, Sendable, CaseIterable {
    case korean = "ko"
    case english = "en"

    var words: any Words {
        switch self {
        case .korean: KoreanWords()
        case .english: EnglishWords()
        }
    }
}
